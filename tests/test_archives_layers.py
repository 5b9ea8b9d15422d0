"""Tests for ``minreg.fill.archives.docker_archive``."""

import gzip

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.archives.contents import StagedFile
from minreg.fill.archives.docker_archive import LayerChecker
from minreg.fill.errors import ArchiveInvalid
from minreg.oci.names import Digest
from tests.archives_support import MemoryBlob

LAYER = bytes(100_000)
PREFIX = "application/vnd.docker.image.rootfs.diff.tar"


def keep(content: bytes) -> StagedFile:
    """Return a staged layer."""
    return MemoryBlob(content, Digest.of(content))


class LayerCheckerTests(SynchronousTestCase):
    """Tests for ``LayerChecker``."""

    def test_plain(self) -> None:
        """The diff_id of an uncompressed layer is its digest, of either algorithm."""
        for algorithm in ("sha256", "sha512"):
            diff_id = Digest.of(LAYER, algorithm)
            self.assertEqual(LayerChecker().check("a", keep(LAYER), diff_id), PREFIX)

    def test_compressed(self) -> None:
        """A compressed layer is decompressed to compute its diff_id."""
        packed = keep(gzip.compress(LAYER))
        self.assertEqual(LayerChecker().check("a", packed, Digest.of(LAYER)), f"{PREFIX}.gzip")

    def test_bomb(self) -> None:
        """A layer that is too large when decompressed is refused."""
        packed = keep(gzip.compress(LAYER))
        LayerChecker(len(LAYER)).check("a", packed, Digest.of(LAYER))
        failure = self.assertRaises(
            ArchiveInvalid, LayerChecker(len(LAYER) - 1).check, "a", packed, Digest.of(LAYER)
        )
        self.assertEqual(
            str(failure),
            "the layer 'a': more than 99999 bytes when decompressed, which no node has room for; "
            "export another image",
        )

    def test_once(self) -> None:
        """A layer is decompressed once, and compared each time."""
        layers, packed = LayerChecker(), MemoryBlob(gzip.compress(LAYER), Digest.of(b"packed"))
        layers.check("a", packed, Digest.of(LAYER))
        packed.content = b"gone"
        layers.check("b", packed, Digest.of(LAYER))
        failure = self.assertRaises(ArchiveInvalid, layers.check, "b", packed, Digest.of(b""))
        self.assertIn("the config names the layer 'b' by the diff_id", str(failure))
