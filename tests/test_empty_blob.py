"""Tests for the empty blob: an empty file is correct if its name is the digest of nothing."""

import json
import os

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from minreg.cli import cli
from minreg.oci.names import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Digest
from minreg.store.interfaces import ContentInvalid
from tests.download_support import DownloadTestCase
from tests.filled_tree import FilledTree
from tests.nodes import PAUSE, make_healthy_node
from tests.store_support import StoreTestCase
from tests.support import WebTestCase

SHA256 = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
SHA512 = (
    "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
    "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
)


class ServedTests(WebTestCase):
    """Tests for responses with the empty blob."""

    def setUp(self) -> None:
        """Create an image with an empty layer."""
        super().setUp()
        self.tree.add_image("a", "1", b"")
        self.path = f"/v2/a/blobs/{SHA256}"

    def test_whole(self) -> None:
        """GET and HEAD are answered as for any blob, also from the cache."""
        for method in ("GET", "HEAD", "GET", "HEAD"):
            response = self.request(self.path, method)
            self.assertEqual((response.code, response.body), (200, b""), method)
            self.assertEqual(response.header("content-length"), "0")
            self.assertEqual(response.header("docker-content-digest"), SHA256)
            self.assertEqual(response.header("content-type"), "application/octet-stream")

    def test_sha512(self) -> None:
        """It has a second name."""
        self.tree.write(b"", "blobs", SHA512)
        response = self.request(f"/v2/a/blobs/{SHA512}")
        self.assertEqual((response.code, response.body), (200, b""))

    def test_next_request(self) -> None:
        """The connection is usable afterwards."""
        connection = self.connect()
        self.assertEqual(connection.request(self.path).code, 200)
        self.assertEqual(connection.request("/v2/a/manifests/1").code, 200)

    def test_not_modified(self) -> None:
        """A client that has it is told so."""
        response = self.request(self.path, headers={"If-None-Match": f'"{SHA256}"'})
        self.assertEqual(response.code, 304)

    def test_range_from_the_beginning(self) -> None:
        """A range that all of it satisfies is ignored: Content-Range cannot describe it.

        containerd 2.1.0 requests every blob with ``bytes=0-``, and fails at 416.
        """
        for value in ("bytes=0-", "bytes=0-9", "bytes=-5", "bytes=5-,0-"):
            response = self.request(self.path, headers={"Range": value})
            self.assertEqual((response.code, response.body), (200, b""), value)
            self.assertIsNone(response.header("content-range"))

    def test_range_behind_its_end(self) -> None:
        """A range that begins behind its end, or asks for no byte, cannot be satisfied."""
        for value in ("bytes=1-", "bytes=5-9", "bytes=-0"):
            response = self.request(self.path, headers={"Range": value})
            self.assertEqual(response.code, 416, value)
            self.assertEqual(response.header("content-range"), "bytes */0")

    def test_manifest(self) -> None:
        """A manifest is never empty."""
        self.tree.write(b"", "a", "manifests", SHA256)
        response = self.request(f"/v2/a/manifests/{SHA256}")
        self.assertEqual((response.code, response.error_code), (404, "MANIFEST_UNKNOWN"))


class StoredTests(StoreTestCase):
    """Tests for empty files in a tree."""

    def test_other_name(self) -> None:
        """An empty file of any other name was not copied, also behind a link."""
        layer = self.tree.add_blob(b"layer")
        self.tree.add_image("a", "1")
        self.tree.write(b"", "blobs", str(layer))
        self.refusal(ContentInvalid, self.find("a").open_blob, layer)
        os.unlink(self.tree.path("blobs", str(layer)))
        self.tree.write(b"", "blobs", SHA256)
        os.symlink(SHA256, self.tree.path("blobs", str(layer)))
        self.refusal(ContentInvalid, self.find("a").open_blob, layer)

    def test_not_empty(self) -> None:
        """A file of this name that has bytes has the wrong size for its image."""
        self.tree.add_image("a", "1", b"")
        self.tree.write(b"x", "blobs", SHA256)
        self.refusal(ContentInvalid, self.find("a").open_blob, Digest.parse(SHA256))


class CommandTests(SynchronousTestCase):
    """Tests for the commands on an image with an empty layer."""

    def setUp(self) -> None:
        """Create the image."""
        self.tree = FilledTree(self.mktemp())
        self.tree.add_image("a", "amd64", b"", tags=("1",))

    def run_command(self, name: str, *arguments: str, status: int = 0) -> str:
        """Return the output of a command that exits with ``status``."""
        result = CliRunner().invoke(cli, [name, "-d", self.tree.root, *arguments])
        self.assertEqual(result.exit_code, status, result.output)
        return str(result.output)

    def test_verify(self) -> None:
        """``verify`` hashes it, and finds the image complete."""
        self.assertIn("1 of 1 image complete; hashed 2 blobs", self.run_command("verify"))
        self.tree.add_document("a", {"mediaType": OCI_MANIFEST, **self._sha512_image()}, "2")
        with open(self.tree.path("blobs", SHA512), "wb"):
            self.assertIn("2 of 2 images complete", self.run_command("verify"))
        with open(self.tree.path("blobs", SHA256), "wb") as file:
            file.write(b"x")
        self.assertIn("has 1 bytes, and should have 0", self.run_command("verify", status=1))

    def _sha512_image(self) -> dict[str, object]:
        config = self.tree.add_blob("a", OCI_CONFIG, b'{"os":"linux","architecture":"amd64"}')
        layer = {"mediaType": OCI_LAYER, "digest": SHA512, "size": 0}
        return {"schemaVersion": 2, "config": config, "layers": [layer]}

    def test_list(self) -> None:
        """``list`` has no problem with it."""
        [image] = json.loads(self.run_command("list", "--json"))
        self.assertEqual(image["problems"], [])

    def test_preflight(self) -> None:
        """``preflight`` finds it, also when it hashes."""
        path: str = self.mktemp()
        with open(path, "w", encoding="utf-8") as file:
            file.write("example.com/a:1\n")
        arguments = ("-f", path, "--platform", "linux/amd64")
        for more in ((), ("--deep",)):
            self.assertIn("all is here", self.run_command("preflight", *arguments, *more))


class DoctorTests(SynchronousTestCase):
    """Tests for ``minreg doctor``."""

    def test_pause_image(self) -> None:
        """An image with an empty layer is no finding."""
        node = make_healthy_node(self.mktemp())
        node.tree.add_image(PAUSE, "amd64", b"", tags=("3.6",))
        self.assertEqual(list(node.diagnose()), [])


class DownloadedTests(DownloadTestCase):
    """Tests for ``minreg download``."""

    def test_twice(self) -> None:
        """An image with an empty layer is complete, and not downloaded again."""
        image = self.registry.add_image("c", "amd64", b"", b"layer")
        self.registry.add_index("c", image, tag="1")
        self.assertEqual(self.download("example.com/c:1").failed, ())
        with open(os.path.join(self.root, "blobs", SHA256), "rb") as file:
            self.assertEqual(file.read(), b"")
        summary = self.download("example.com/c:1")
        self.assertEqual((summary.failed, summary.fetched_blobs), ((), 0))
