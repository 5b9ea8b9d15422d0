"""Tests for platforms whose manifests and configs are stored, and their layers are not."""

import json
import os

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from minreg.cli import cli
from minreg.fill.tree.reader import TreeReader
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.names import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Digest
from minreg.store.tree import RegistryTree
from tests.filled_tree import FilledTree
from tests.support import WebTestCase

LAYER = b"layer for arm64"


class MetadataTree(FilledTree):
    """A tree with an image for two platforms, of which one has no layers."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.amd64 = self.add_image("a", "amd64", b"base")
        platform = {"os": "linux", "architecture": "arm64"}
        self.config = self.add_blob("a", OCI_CONFIG, json.dumps(platform).encode())
        layer = {"mediaType": OCI_LAYER, "digest": str(Digest.of(LAYER)), "size": len(LAYER)}
        document = {"schemaVersion": 2, "config": self.config, "layers": [layer]}
        self.content = json.dumps(document).encode()
        self.digest = Digest.of(self.content)
        self.arm64 = {
            "mediaType": OCI_MANIFEST,
            "digest": str(self.digest),
            "size": len(self.content),
            "platform": platform,
        }
        self.index = self.add_index("a", self.amd64, self.arm64, tag="1")
        with TreeWriter(self.root, "a test") as tree:
            tree.write_metadata("a", self.content, "sha256")

    def metadata(self) -> list[str]:
        """Return the names of the files with metadata."""
        return os.listdir(self.path("a", ".metadata"))


class ServedTests(WebTestCase):
    """Tests for the registry."""

    def setUp(self) -> None:
        """Fill the tree."""
        super().setUp()
        self.stored = MetadataTree(self.root)

    def test_manifest_and_config(self) -> None:
        """Both are served, with the media type that the index states."""
        for method in ("GET", "HEAD", "GET"):
            response = self.request(f"/v2/a/manifests/{self.stored.digest}", method)
            self.assertEqual(response.code, 200)
            self.assertEqual(response.header("content-type"), OCI_MANIFEST)
            self.assertEqual(response.header("docker-content-digest"), str(self.stored.digest))
        self.assertEqual(response.body, self.stored.content)
        config = self.request(f"/v2/a/blobs/{self.stored.config['digest']}")
        self.assertEqual(config.code, 200)

    def test_layer(self) -> None:
        """The error for a missing layer names its platform."""
        response = self.request(f"/v2/a/blobs/{Digest.of(LAYER)}")
        self.assertEqual((response.code, response.error_code), (404, "BLOB_UNKNOWN"))
        [error] = response.json["errors"]
        self.assertIn(
            "for linux/arm64 is not in repository a: only the manifest", error["message"]
        )
        self.assertEqual(error["detail"]["platform"], {"os": "linux", "architecture": "arm64"})
        response = self.request(f"/v2/a/blobs/{Digest.of(b'unknown')}")
        self.assertEqual(
            response.json["errors"][0]["message"],
            f"blob {Digest.of(b'unknown')} is not in this repository",
        )

    def test_not_listed(self) -> None:
        """The directory is neither a tag nor a repository."""
        self.assertEqual(self.request("/v2/a/tags/list").json["tags"], ["1"])
        self.assertEqual(self.request("/v2/_catalog").json["repositories"], ["a"])
        self.assertEqual(self.request("/v2/a/manifests/.metadata").code, 404)
        path = f"/v2/a/.metadata/manifests/{self.stored.digest}"
        self.assertEqual(self.request(path).error_code, "NAME_INVALID")

    def test_damaged(self) -> None:
        """A file that does not match its name is not served."""
        with open(self.stored.path("a", ".metadata", str(self.stored.digest)), "ab") as file:
            file.write(b" ")
        response = self.request(f"/v2/a/manifests/{self.stored.digest}")
        self.assertEqual((response.code, response.error_code), (404, "MANIFEST_UNKNOWN"))

    def test_stored_later(self) -> None:
        """When the platform is stored completely, its layer is found at once."""
        self.request(f"/v2/a/manifests/{self.stored.digest}")
        self.stored.add_blob("a", OCI_LAYER, LAYER)
        with TreeWriter(self.root, "a test") as tree:
            tree.write_manifest("a", self.stored.content)
        self.assertEqual(self.stored.metadata(), [])
        for path in (f"manifests/{self.stored.digest}", f"blobs/{Digest.of(LAYER)}"):
            self.assertEqual(self.request(f"/v2/a/{path}").code, 200)


class CommandTests(SynchronousTestCase):
    """Tests for the commands on such a tree."""

    def setUp(self) -> None:
        """Fill the tree."""
        self.tree = MetadataTree(self.mktemp())

    def run_command(self, *arguments: str, status: int = 0, given: str = "") -> Result:
        """Run a command on the tree."""
        name, *more = arguments
        result = CliRunner().invoke(cli, [name, "-d", self.tree.root, *more], input=given)
        self.assertEqual(result.exit_code, status, result.output)
        return result

    def test_verify(self) -> None:
        """Only the platform with layers is complete, and configs are hashed."""
        output = self.run_command("verify").output
        self.assertIn("a:1: complete for linux/amd64 (absent: linux/arm64)", output)
        self.assertIn("hashed 3 blobs", output)
        self.assertNotIn("minreg prune", output)
        self.run_command("verify", "-p", "linux/amd64")
        for platform in ("linux/arm64", "all"):
            output = self.run_command("verify", "-p", platform, status=1).output
            self.assertIn("a:1: missing linux/arm64 (has linux/amd64)", output)

    def test_corrupt_config(self) -> None:
        """A corrupt config of the other platform is found."""
        path = self.tree.path("blobs", self.tree.config["digest"])
        with open(path, "r+b") as file:
            file.write(b"x")
        output = self.run_command("verify", status=1).output
        self.assertIn("a:1: BROKEN: ", output)

    def test_lost_layer(self) -> None:
        """A lost layer of a platform that is stored is a problem as ever."""
        os.unlink(self.tree.blob_path(b"base"))
        self.assertIn("BROKEN: layer", self.run_command("verify", status=1).output)

    def test_list(self) -> None:
        """The platform is listed as absent."""
        [image] = json.loads(self.run_command("list", "--json").stdout)
        self.assertEqual(image["platforms"], ["linux/amd64"])
        self.assertEqual(image["absent_platforms"], ["linux/arm64"])

    def test_preflight(self) -> None:
        """A node of the platform cannot pull the image."""
        arguments = ("preflight", "-f", "-", "--platform")
        given = "example.com/a:1\n"
        self.run_command(*arguments, "linux/amd64", given=given)
        output = self.run_command(*arguments, "linux/arm64", given=given, status=1).output
        self.assertIn("its layers for linux/arm64 are not here", output)

    def test_preflight_by_digest(self) -> None:
        """So it is if the manifest is named by its digest."""
        given = f"example.com/a@{self.tree.digest}\n"
        arguments = ("preflight", "-f", "-", "--platform", "linux/arm64")
        output = self.run_command(*arguments, given=given, status=1).output
        self.assertIn("is here without its layers", output)

    def test_summary(self) -> None:
        """The page counts nothing as missing."""
        summary = RegistryTree(self.tree.root).find_repository(None, "a").summarize()
        self.assertTrue(summary.is_complete)
        self.assertEqual(list(map(str, summary.platforms)), ["linux/amd64"])

    def test_prune(self) -> None:
        """``prune`` keeps it while the index is kept, and then removes all of it."""
        self.assertIn("removed 0 images, 0 manifests and 0 blobs", self._prune())
        self.tree.add_image("b", "amd64", b"other", tags=("1",))
        self._prune("b:1\n")
        self.assertFalse(os.path.exists(self.tree.path("a")))
        self.assertFalse(os.path.exists(self.tree.path("blobs", self.tree.config["digest"])))

    def test_prune_stale(self) -> None:
        """Metadata that no index names any more is removed."""
        self.tree.add_index("a", self.tree.amd64, tag="1")
        self._prune()
        self.assertFalse(os.path.exists(self.tree.path("a", ".metadata")))

    def _prune(self, keep: str = "") -> str:
        options = ("--keep-file", "-") if keep else ()
        return str(self.run_command("prune", "--yes", *options, given=keep).output)

    def test_platforms_to_import(self) -> None:
        """The platform counts as missing for an import."""
        contents = TreeReader(self.tree.root)
        self.assertIsNone(contents.read_manifest("a", self.tree.digest))
        read = contents.read_manifest("a", self.tree.digest, with_metadata=True)
        self.assertEqual(read, (self.tree.digest, self.tree.content))

    def test_not_written_twice(self) -> None:
        """A manifest that is stored with its layers gets no metadata."""
        content = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
        with TreeWriter(self.tree.root, "a test") as tree:
            tree.write_manifest("a", content.encode())
            tree.write_metadata("a", content.encode(), "sha256")
        self.assertEqual(self.tree.metadata(), [str(self.tree.digest)])
