"""Tests for ``minreg.fill.sample``."""

import gzip
import io
import json
import tarfile

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.sample import NOTE_TYPE, PROGRAMS, REPOSITORY, write_sample
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.manifests import parse_manifest
from minreg.oci.names import OCI_LAYER_GZIP, Digest
from minreg.oci.platforms import Platform
from minreg.store.tree import RegistryTree

INDEX = Digest.parse("sha256:9825cda7b31c9880f4bf5e389bad03e8b46aecf0f5a187e9dcc4585b77859e0f")


class WriteSampleTests(SynchronousTestCase):
    """Tests for ``write_sample``, read back as the registry reads."""

    def setUp(self) -> None:
        """Write the sample image."""
        self.root = self.mktemp()
        with TreeWriter(self.root, "a test") as tree:
            self.is_new = write_sample(tree)
        self.repository = RegistryTree(self.root).find_repository(None, REPOSITORY)

    def read_manifest(self, reference: str | Digest) -> bytes:
        """Read a manifest of the repository."""
        with self.repository.open_manifest(reference).file as file:
            return file.read()

    def read_blob(self, digest: Digest) -> bytes:
        """Read a blob of the repository."""
        with self.repository.open_blob(digest).file as file:
            return file.read()

    def test_tags(self) -> None:
        """Both tags name one index, whose digest is constant."""
        self.assertEqual(self.repository.list_tags(), ["1.0", "latest"])
        for tag in ("1.0", "latest"):
            self.assertEqual(Digest.of(self.read_manifest(tag)), INDEX)

    def test_platforms(self) -> None:
        """The index has an image for each platform, with its program in its layer."""
        index = parse_manifest(self.read_manifest("latest"))
        platforms = [child.platform for child in index.manifests]
        self.assertEqual(platforms, [Platform("linux", "amd64"), Platform("linux", "arm64")])
        for child in index.manifests:
            assert child.platform is not None
            architecture = child.platform.architecture
            [layer] = parse_manifest(self.read_manifest(child.digest)).layers
            self.assertEqual(layer.media_type, OCI_LAYER_GZIP)
            content = io.BytesIO(self.read_blob(layer.digest))
            with tarfile.open(fileobj=content, mode="r:gz") as archive:
                program = archive.extractfile("hello")
                assert program is not None
                self.assertEqual(program.read(), PROGRAMS[architecture])
                self.assertEqual(archive.getmember("hello").mode, 0o755)

    def test_config(self) -> None:
        """A config has the platform, the entry point and the digest of the uncompressed layer."""
        index = parse_manifest(self.read_manifest("latest"))
        manifest = parse_manifest(self.read_manifest(index.manifests[1].digest))
        assert manifest.config is not None
        config = json.loads(self.read_blob(manifest.config.digest))
        self.assertEqual((config["os"], config["architecture"]), ("linux", "arm64"))
        self.assertEqual(config["config"]["Entrypoint"], ["/hello"])
        layer = gzip.decompress(self.read_blob(manifest.layers[0].digest))
        self.assertEqual(config["rootfs"]["diff_ids"], [str(Digest.of(layer))])

    def test_referrer(self) -> None:
        """A note refers to the index."""
        [note] = self.repository.list_referrers(INDEX)
        self.assertEqual(note.artifact_type, NOTE_TYPE)
        [layer] = parse_manifest(self.read_manifest(note.digest)).layers
        self.assertTrue(self.read_blob(layer.digest).startswith(b"This note refers"))

    def test_again(self) -> None:
        """The second call writes nothing."""
        with TreeWriter(self.root, "a test") as tree:
            self.assertEqual((self.is_new, write_sample(tree)), (True, False))
