"""Tests for layers that registries need not have, such as those of Windows."""

import json
import os
from typing import Any

from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.cli import cli
from minreg.fill.progress import ImageEnded
from minreg.oci.manifests import Descriptor, parse_manifest
from minreg.oci.names import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Digest
from minreg.oci.platforms import Platform
from minreg.store.tree import RegistryTree
from tests.download_support import DownloadTestCase
from tests.filled_tree import FilledTree

FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
WINDOWS = {"os": "windows", "architecture": "amd64"}
LAYER = {
    "mediaType": FOREIGN,
    "digest": str(Digest.of(b"windows")),
    "size": 7,
    "urls": ["https://mcr.microsoft.com/v2/windows/blobs/x"],
}


def windows_image(config: dict[str, Any], *layers: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest of an image for Windows."""
    return {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config,
        "layers": [LAYER, *layers],
    }


class DescriptorTests(SynchronousTestCase):
    """Tests for ``Descriptor.is_nondistributable``."""

    def test_media_types(self) -> None:
        """The media type says so, or the list of URLs."""
        for media_type, urls, expected in (
            (FOREIGN, (), True),
            (NONDISTRIBUTABLE, (), True),
            ("application/vnd.oci.image.layer.nondistributable.v1.tar", (), True),
            (OCI_LAYER, ("https://example.com/x",), True),
            (OCI_LAYER, (), False),
            ("application/vnd.foreign-trade.v1+json", (), False),
        ):
            blob = Descriptor(media_type, Digest.of(b""), 0, urls=urls)
            self.assertEqual(blob.is_nondistributable, expected, media_type)

    @given(st.one_of(st.none(), st.integers(), st.text(), st.lists(st.integers() | st.text())))
    def test_hostile_urls(self, urls: object) -> None:
        """Whatever ``urls`` is, a manifest is parsed."""
        document = windows_image({**LAYER, "mediaType": OCI_CONFIG})
        document["layers"] = [{**LAYER, "urls": urls}]
        [layer] = parse_manifest(json.dumps(document).encode()).layers
        self.assertTrue(all(isinstance(url, str) for url in layer.urls))


class DownloadedTests(DownloadTestCase):
    """Tests for ``minreg download``."""

    def setUp(self) -> None:
        """Create an image for Linux, and for Windows without its base layer."""
        super().setUp()
        self.linux = self.registry.add_image("c", "amd64", b"linux")
        config = self.registry.add_blob("c", OCI_CONFIG, json.dumps(WINDOWS).encode())
        layer = self.registry.add_blob("c", OCI_LAYER, b"own layer")
        self.windows = self.registry.add_manifest("c", windows_image(config, layer), "windows")
        self.windows["platform"] = WINDOWS
        self.registry.add_index("c", self.linux, self.windows, tag="1")

    def run_command(self, *arguments: str) -> Result:
        """Run a command on the tree."""
        name, *more = arguments
        return CliRunner().invoke(cli, [name, "-d", self.root, *more])

    def test_all_platforms(self) -> None:
        """Linux is downloaded, and a note says that Windows is not here."""
        for metadata in (True, False):
            summary = self.download("example.com/c:1", metadata=metadata)
            self.assertEqual(summary.failed, ())
            ended = [event for event in self.events if isinstance(event, ImageEnded)][-1]
            self.assertEqual(
                ended.notes,
                ("not here: windows/amd64 (the registry does not distribute its layers)",),
            )
        own = os.path.join(self.root, "blobs", str(Digest.of(b"own layer")))
        self.assertFalse(os.path.exists(own))

    def test_afterwards(self) -> None:
        """``verify``, ``list`` and ``preflight`` say the same of the tree."""
        self.download("example.com/c:1")
        for arguments in ((), ("-p", "all"), ("-p", "linux/amd64"), ("--quick",)):
            result = self.run_command("verify", *arguments)
            self.assertEqual(result.exit_code, 0, result.output)
            self.assertIn("complete for linux/amd64 (absent: windows/amd64)", result.output)
        result = self.run_command("verify", "-p", "windows/amd64")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("missing windows/amd64 (has linux/amd64)", result.output)
        [image] = json.loads(self.run_command("list", "--json").stdout)
        self.assertEqual(image["platforms"], ["linux/amd64"])
        self.assertEqual(image["absent_platforms"], ["windows/amd64"])
        self.assertEqual(image["problems"], [])

    def preflight(self, platform: str) -> Result:
        """Check the image for nodes of a platform."""
        path: str = self.mktemp()
        with open(path, "w", encoding="utf-8") as file:
            file.write("example.com/c:1\n")
        return self.run_command("preflight", "-f", path, "--platform", platform)

    def test_preflight(self) -> None:
        """A node that runs Linux needs nothing of it; one that runs Windows does."""
        self.download("example.com/c:1")
        for platform in ("linux/amd64", "all"):
            self.assertIn("all is here", self.preflight(platform).output)
        result = self.preflight("windows/amd64")
        self.assertEqual(result.exit_code, 1)
        self.assertIn(
            "windows/amd64 is not here: registries need not have its layers", result.output
        )

    def test_only_platform(self) -> None:
        """If it is the only one that is selected, the image fails, and the error says why."""
        windows = (Platform("windows", "amd64"),)
        self.assertEqual(
            self.download("example.com/c:1", platforms=windows).failed, ("example.com/c:1",)
        )
        reason = self.ended()["example.com/c:1"]
        self.assertIn("the registry does not have its layers, and need not", reason)
        self.download("example.com/c:windows")
        self.assertIn("they are not distributable", self.ended()["example.com/c:windows"])

    def test_distributed(self) -> None:
        """A registry that has the layer serves it, as Microsoft's does since 2023."""
        self.registry.add_blob("c", FOREIGN, b"windows")
        self.assertEqual(self.download("example.com/c:1").failed, ())
        result = self.run_command("verify", "-p", "all")
        self.assertIn("complete for linux/amd64, windows/amd64", result.output)

    def test_layer_of_the_tree(self) -> None:
        """A layer that the tree has is used."""
        FilledTree(self.root).add_blob("x", FOREIGN, b"windows")
        self.assertEqual(self.download("example.com/c:1").failed, ())
        self.assertEqual(self.run_command("verify", "-p", "all").exit_code, 0)

    def test_prune(self) -> None:
        """``prune`` keeps what is stored of it."""
        self.download("example.com/c:1", metadata=True)
        result = self.run_command("prune", "--yes")
        self.assertEqual(result.exit_code, 0, result.output)
        repository = RegistryTree(self.root).find_repository(None, "c")
        digest = Digest.parse(self.windows["digest"])
        repository.open_manifest(digest).file.close()


class StoredTests(SynchronousTestCase):
    """Tests for a tree that another program filled, with the manifest among the others."""

    def setUp(self) -> None:
        """Create the image."""
        self.tree = FilledTree(self.mktemp())
        config = self.tree.add_blob("c", OCI_CONFIG, json.dumps(WINDOWS).encode())
        own = self.tree.add_blob("c", OCI_LAYER, b"own layer")
        windows = self.tree.add_document("c", windows_image(config, own), "windows")
        self.windows = {**windows, "platform": WINDOWS}
        self.linux = self.tree.add_image("c", "amd64", b"linux")

    def run_command(self, *arguments: str) -> Result:
        """Run a command on the tree."""
        name, *more = arguments
        return CliRunner().invoke(cli, [name, "-d", self.tree.root, *more])

    def test_with_another_platform(self) -> None:
        """The index is complete without it, and its files are kept."""
        self.tree.add_index("c", self.linux, self.windows, tag="1")
        with_tag = self.run_command("verify")
        self.assertIn("c:1: complete for linux/amd64 (absent: windows/amd64)", with_tag.output)
        os.unlink(self.tree.path("c", "manifests", "windows"))
        self.assertEqual(self.run_command("verify").exit_code, 0)
        result = self.run_command("prune")
        self.assertIn("would remove 0 images, 0 manifests and 0 blobs", result.output)
        summary = RegistryTree(self.tree.root).find_repository(None, "c").summarize()
        self.assertTrue(summary.is_complete)

    def test_alone(self) -> None:
        """An image of nothing else is incomplete."""
        result = self.run_command("verify")
        self.assertEqual(result.exit_code, 1)
        self.assertIn(f"layer {LAYER['digest']} is missing", result.output)

    def test_only_platform_of_index(self) -> None:
        """An index of nothing else is incomplete, too."""
        self.tree.add_index("c", self.windows, tag="1")
        output = self.run_command("verify").output
        self.assertIn("c:1: BROKEN: none of its platforms is here", output)

    def test_other_layer_missing(self) -> None:
        """A distributable layer that is missing is a problem as ever."""
        lost = {"mediaType": OCI_LAYER, "digest": str(Digest.of(b"lost")), "size": 4}
        config = self.tree.add_blob("c", OCI_CONFIG, json.dumps(WINDOWS).encode())
        document = windows_image(config, lost)
        document["layers"] = [lost]
        image = {**self.tree.add_document("c", document), "platform": WINDOWS}
        self.tree.add_index("c", self.linux, image, tag="1")
        self.assertIn(f"layer {lost['digest']} is missing", self.run_command("verify").output)
