"""regctl and oras read what the daemon serves, with all that refers to it."""

import json
import os

from minreg.fill.sample import NOTE_TYPE
from tests.e2e.content import SAMPLE, write_sample
from tests.e2e.programs import run
from tests.e2e.real_registry import start_registry
from tests.e2e.support import EndToEndTestCase
from tests.e2e.trees import read_tree


class ClientTestCase(EndToEndTestCase):
    """A test with the sample, which has a note that refers to it."""

    program: str

    def setUp(self) -> None:
        """Serve the sample."""
        self.need_programs(self.program)
        self.root = os.path.join(self.make_directory(), "registry")
        write_sample(self.root)
        self.image = read_tree(self.root, SAMPLE, "1.0")
        self.registry = self.start_daemon(self.root).registry
        self.name = f"{self.registry}/{SAMPLE}:1.0"
        self.layout = os.path.join(self.make_directory(), "layout")

    def copied(self) -> set[str]:
        """Return the digests of all content in the layout."""
        return {f"sha256:{name}" for name in os.listdir(f"{self.layout}/blobs/sha256")}

    def stored(self) -> set[str]:
        """Return the digests of all content in the tree."""
        manifests = os.listdir(os.path.join(self.root, SAMPLE, "manifests"))
        blobs = os.listdir(os.path.join(self.root, "blobs"))
        return {name for name in [*manifests, *blobs] if ":" in name}


class RegctlTests(ClientTestCase):
    """Tests with regctl."""

    program = "regctl"

    def regctl(self, *arguments: str) -> str:
        """Run regctl, and return what it prints."""
        return run("regctl", "--host", f"reg={self.registry},tls=disabled", *arguments)

    def test_read(self) -> None:
        """Repositories, tags, digests and manifests."""
        self.assertEqual(self.regctl("repo", "ls", self.registry), f"{SAMPLE}\n")
        self.assertEqual(self.regctl("tag", "ls", f"{self.registry}/{SAMPLE}"), "1.0\nlatest\n")
        self.assertEqual(self.regctl("image", "digest", self.name), f"{self.image.top}\n")
        body = self.regctl("manifest", "get", "--format", "raw-body", self.name)
        self.assertEqual(body.encode(), self.image.manifests[self.image.top])

    def test_referrers(self) -> None:
        """The note is listed, and only for its type."""
        self.assertIn(NOTE_TYPE, self.regctl("artifact", "list", self.name))
        other = self.regctl(
            *("artifact", "list", "--filter-artifact-type", "application/x", self.name)
        )
        self.assertNotIn(NOTE_TYPE, other)

    def test_copy(self) -> None:
        """An image is copied with its referrers."""
        self.regctl("image", "copy", "--referrers", self.name, f"ocidir://{self.layout}:1.0")
        self.assertEqual(self.stored() - self.copied(), set())


class OrasTests(ClientTestCase):
    """Tests with oras."""

    program = "oras"

    def test_read(self) -> None:
        """Repositories, tags, manifests and blobs."""
        self.assertEqual(run("oras", "repo", "ls", "--plain-http", self.registry), f"{SAMPLE}\n")
        tags = run("oras", "repo", "tags", "--plain-http", f"{self.registry}/{SAMPLE}")
        self.assertEqual(tags, "1.0\nlatest\n")
        manifest = run("oras", "manifest", "fetch", "--plain-http", self.name)
        self.assertEqual(json.loads(manifest), self.image.document(self.image.top))

    def test_discover(self) -> None:
        """The note is found."""
        found = json.loads(run("oras", "discover", "--plain-http", "--format", "json", self.name))
        (note,) = found["referrers"]
        self.assertEqual(note["artifactType"], NOTE_TYPE)

    def test_copy(self) -> None:
        """An image is copied with its referrers into a layout and into another registry."""
        target = f"{self.layout}:1.0"
        run("oras", "cp", "-r", "--from-plain-http", self.name, "--to-oci-layout", target)
        self.assertEqual(self.stored() - self.copied(), set())
        registry = start_registry(os.path.join(self.make_directory(), "registry"))
        self.addCleanup(registry.stop)
        copied = f"{registry.host}/{SAMPLE}:1.0"
        run("oras", "cp", "-r", "--from-plain-http", self.name, "--to-plain-http", copied)
        found = run("oras", "discover", "--plain-http", copied)
        self.assertIn(NOTE_TYPE, found)
