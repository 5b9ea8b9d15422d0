"""Tests for ``minreg.fill.archives.docker_archive``."""

import gzip

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.archives.contents import StagedFile
from minreg.fill.archives.docker_archive import Layers
from minreg.fill.errors import ArchiveInvalid
from minreg.oci.names import Digest
from tests.archives_support import MemoryBlob

LAYER = bytes(100_000)
PREFIX = "application/vnd.docker.image.rootfs.diff.tar"


def keep(content: bytes) -> StagedFile:
    """Keep a layer."""
    return MemoryBlob(content, Digest.of(content))


class LayersTests(SynchronousTestCase):
    """Tests for ``Layers``."""

    def test_plain(self) -> None:
        """A layer that is not compressed is what its digest says, of either algorithm."""
        for algorithm in ("sha256", "sha512"):
            diff_id = Digest.of(LAYER, algorithm)
            self.assertEqual(Layers().check("a", keep(LAYER), diff_id), PREFIX)

    def test_compressed(self) -> None:
        """A compressed layer is looked into."""
        packed = keep(gzip.compress(LAYER))
        self.assertEqual(Layers().check("a", packed, Digest.of(LAYER)), f"{PREFIX}.gzip")

    def test_bomb(self) -> None:
        """A layer that becomes too large is given up."""
        packed = keep(gzip.compress(LAYER))
        Layers(len(LAYER)).check("a", packed, Digest.of(LAYER))
        failure = self.assertRaises(
            ArchiveInvalid, Layers(len(LAYER) - 1).check, "a", packed, Digest.of(LAYER)
        )
        self.assertEqual(str(failure), "'a': this layer becomes larger than a node has room for")

    def test_once(self) -> None:
        """A layer is looked into once, and compared each time."""
        layers, packed = Layers(), MemoryBlob(gzip.compress(LAYER), Digest.of(b"packed"))
        layers.check("a", packed, Digest.of(LAYER))
        packed.content = b"gone"
        layers.check("b", packed, Digest.of(LAYER))
        failure = self.assertRaises(ArchiveInvalid, layers.check, "b", packed, Digest.of(b""))
        self.assertIn("'b' is not the layer that the config names", str(failure))
