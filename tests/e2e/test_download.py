"""``minreg download`` from a real registry, read back as the registry serves it."""

import json
import os
import subprocess
import sys
import urllib.request

from twisted.trial.unittest import SynchronousTestCase

from minreg.oci.names import Digest
from minreg.store.tree import RegistryTree
from tests.e2e.real_registry import Layout, RealRegistry, start_registry


class DownloadTests(SynchronousTestCase):
    """Tests for ``minreg download``, as a process, with content that skopeo pushed."""

    def setUp(self) -> None:
        """Start a registry with two images for two platforms that share a layer."""
        self.directory = os.path.abspath(self.mktemp())
        self.registry: RealRegistry = start_registry(os.path.join(self.directory, "upstream"))
        self.addCleanup(self.registry.stop)
        base = os.urandom(300_000)
        for name in ("one", "two"):
            layout = Layout(os.path.join(self.directory, name))
            images = [
                layout.write_image("amd64", [base, os.urandom(100_000)]),
                layout.write_image("arm64", [os.urandom(1000)]),
            ]
            layout.write_index(images)
            self.registry.push(layout.directory, f"rancher/{name}:v1")
        self.root = os.path.join(self.directory, "registry")

    def image(self, name: str) -> str:
        """Name an image of the registry."""
        return f"{self.registry.host}/rancher/{name}:v1"

    def download(self, *arguments: str, status: int = 0) -> str:
        """Run the command, and return what it says."""
        done = subprocess.run(
            [sys.executable, "-m", "minreg", "download", "-d", self.root, *arguments],
            check=False,
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, status, done.stderr)
        # What to run next, and nothing else, is on stderr.
        self.assertRegex(done.stderr, r"\Anext: .+\n(?:  or: .+\n)?\Z")
        return done.stdout

    def upstream_manifest(self, name: str) -> bytes:
        """Read an index from the registry."""
        request = urllib.request.Request(
            f"http://{self.registry.host}/v2/rancher/{name}/manifests/v1",
            headers={"Accept": "application/vnd.oci.image.index.v1+json"},
        )
        with urllib.request.urlopen(request) as response:  # noqa: S310 - its own address
            content: bytes = response.read()
            return content

    def test_exact(self) -> None:
        """The tree has the upstream's bytes, the wanted platform, and no other."""
        self.download("-s", self.image("one"))
        repository = RegistryTree(self.root).find_repository(None, "rancher/one")
        with repository.open_manifest("v1").file as file:
            content = file.read()
        self.assertEqual(content, self.upstream_manifest("one"))
        amd64, arm64 = json.loads(content)["manifests"]
        manifests = os.listdir(os.path.join(self.root, "rancher", "one", "manifests"))
        self.assertIn(amd64["digest"], manifests)
        self.assertNotIn(arm64["digest"], manifests)
        for blob in os.listdir(os.path.join(self.root, "blobs")):
            with repository.open_blob(Digest.parse(blob)).file as file:
                self.assertEqual(str(Digest.of(file.read())), blob)

    def test_shared_once(self) -> None:
        """Two images that share a layer are less than the sum of both."""
        said = self.download("-s", self.image("one"), self.image("two"))
        self.assertIn("2 of 2 images complete: fetched 7 blobs", said)
        self.assertIn("reused 1 (300.", said)

    def test_again(self) -> None:
        """A second run fetches nothing."""
        self.download("-s", self.image("one"), "-p", "all")
        said = self.download("-s", self.image("one"), "-p", "all")
        self.assertIn(f"{self.image('one')}: already complete\n", said)
        self.assertIn("fetched 0 blobs (0 B)", said)

    def test_resume(self) -> None:
        """A blob that an earlier process left half is only fetched to its end."""
        self.download("-s", self.image("one"))
        blobs = os.path.join(self.root, "blobs")
        largest = max(os.listdir(blobs), key=lambda n: os.stat(os.path.join(blobs, n)).st_size)
        partial = os.path.join(self.root, ".minreg", "partial", largest)
        os.rename(os.path.join(blobs, largest), partial)
        os.truncate(partial, 123_456)
        said = self.download("-s", self.image("one"))
        self.assertIn("fetched 1 blob (176.", said)
        self.assertIn("resumed 123.5 kB", said)
        self.assertIn(f"{self.image('one')}: complete\n", said)

    def test_list_of_failed(self) -> None:
        """What failed is told in the form that --file reads; the rest is complete."""
        missing = f"{self.registry.host}/rancher/nope:v1"
        said = self.download("-s", self.image("one"), missing, status=1)
        self.assertIn("1 of 2 images complete", said)
        lines = said[said.index("# failed") :]
        path = os.path.join(self.directory, "failed")
        with open(path, "w", encoding="ascii") as file:
            file.write(lines)
        self.assertIn("0 of 1 image", self.download("-s", "-f", path, status=1))

    def test_signature(self) -> None:
        """A signature that is tagged beside an image comes unless it is not wanted."""
        digest = Digest.of(self.upstream_manifest("one"))
        fingerprint = Layout(os.path.join(self.directory, "signature"))
        fingerprint.name(fingerprint.write_image("amd64", [b"signed"]))
        self.registry.push(fingerprint.directory, f"rancher/one:sha256-{digest.encoded}.sig")
        self.download("-s", self.image("one"))
        repository = RegistryTree(self.root).find_repository(None, "rancher/one")
        self.assertEqual(repository.list_tags(), [f"sha256-{digest.encoded}.sig", "v1"])

    def test_dry_run(self) -> None:
        """A dry run names the bytes, and writes nothing."""
        said = self.download("-s", "--dry-run", self.image("one"))
        self.assertIn("would download 4 blobs (400.", said)
        self.assertFalse(os.path.exists(self.root))
