"""Tests for ``ManifestCache``."""

import json
import os
from io import FileIO

from minreg.oci.names import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Digest
from minreg.store.directory import LARGEST_MANIFEST, ManifestCache, ParsedManifest
from minreg.store.interfaces import ContentInvalid, StoreUnavailable
from minreg.store.rooted import OpenedFile, RootedDirectory
from tests.store_support import ABSENT, StoreTestCase
from tests.trees import descriptor

MANIFEST = json.dumps(
    {
        "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG, ABSENT, 1),
        "layers": [descriptor(OCI_LAYER, ABSENT, 1)],
    }
).encode()


class ManifestCacheTestCase(StoreTestCase):
    """Files that may be manifests."""

    def setUp(self) -> None:
        """Create an empty cache."""
        super().setUp()
        self.files = RootedDirectory(self.root)
        self.documents = ManifestCache(now=self.now)

    def read(self, content: bytes, digest: Digest | None = None) -> ParsedManifest:
        """Write a file, and read it as a manifest."""
        self.tree.write(content, "file")
        return self.read_again(digest)

    def read_again(self, digest: Digest | None = None) -> ParsedManifest:
        """Read the file again."""
        opened = self.files.open_file("file")
        with opened.file as file:
            document = self.documents.read(opened, digest)
            self.assertEqual(file.tell(), 0)
        return document

    def look(self, content: bytes) -> bool:
        """Write a file, and return whether it is a manifest."""
        self.tree.write(content, "file")
        opened = self.files.open_file("file")
        with opened.file as file:
            answer = self.documents.is_manifest(opened)
            self.assertEqual(file.tell(), 0)
        return answer


class ReadTests(ManifestCacheTestCase):
    """Tests for ``ManifestCache.read``."""

    def test_read(self) -> None:
        """A manifest's digest and size are those of its bytes, whatever the file's name is."""
        document = self.read(MANIFEST)
        self.assertEqual((document.digest, document.size), (Digest.of(MANIFEST), len(MANIFEST)))
        self.assertEqual(document.manifest.media_type, OCI_MANIFEST)

    def test_both_algorithms(self) -> None:
        """One file may be requested by its SHA-256 and its SHA-512 digest."""
        self.settle()
        for algorithm in ("sha256", "sha512", "sha256"):
            digest = Digest.of(MANIFEST, algorithm)
            self.assertEqual(self.read(MANIFEST, digest).digest, digest)

    def test_not_what_its_name_says(self) -> None:
        """An invalid manifest is refused with its path and a fix, also if it is cached."""
        self.settle()
        for _ in range(2):
            error = self.assertRaises(ContentInvalid, self.read, MANIFEST, ABSENT)
            self.assertEqual(
                str(error),
                f"{self.root}/file does not hold what its name says, but "
                f"{Digest.of(MANIFEST)}: copy it again",
            )

    def test_no_manifest(self) -> None:
        """A file that is not a manifest is refused, with its path and a fix."""
        error = self.assertRaises(ContentInvalid, self.read, b"[]")
        self.assertEqual(
            str(error),
            f"{self.root}/file is not a manifest: it is not a JSON object; remove it",
        )

    def test_too_large(self) -> None:
        """A file that is too large for a manifest is not read."""
        os.truncate(self.tree.write(b"{", "file"), LARGEST_MANIFEST + 1)
        error = self.assertRaises(ContentInvalid, self.read_again)
        self.assertEqual(str(error), f"{self.root}/file is too large to be a manifest: remove it")

    def test_large(self) -> None:
        """A manifest that is too large for clients is read."""
        document = self.read(MANIFEST + b" " * 5_000_000)
        self.assertEqual(document.size, len(MANIFEST) + 5_000_000)

    def test_remembered(self) -> None:
        """A parsed manifest is cached until the file changes."""
        self.settle()
        first = self.read(MANIFEST)
        self.assertIs(self.read_again(), first)
        self.assertEqual(self.read(b" " + MANIFEST[:-1] + b"}").size, len(MANIFEST) + 1)

    def test_two_changes_in_one_tick(self) -> None:
        """A file that was changed a moment ago is read again."""
        for at in range(50):
            content = MANIFEST + b" " * (at % 2) + b"\n" * (1 - at % 2)
            self.assertEqual(self.read(content).digest, Digest.of(content))

    def test_faulty_disk(self) -> None:
        """A disk error makes the store unavailable."""
        self.tree.write(MANIFEST, "file")
        with FileIO("/proc/self/mem") as memory:
            opened = OpenedFile(memory, os.stat(self.tree.path("file")), "file")
            error = self.refusal(StoreUnavailable, self.documents.read, opened, None)
            self.assertEqual(str(error), "file: Input/output error")
            error = self.refusal(StoreUnavailable, self.documents.is_manifest, opened)
            self.assertEqual(str(error), "file: Input/output error")


class IsManifestTests(ManifestCacheTestCase):
    """Tests for ``ManifestCache.is_manifest``."""

    def test_kinds(self) -> None:
        """Manifests are distinguished from configs and layers."""
        self.assertTrue(self.look(MANIFEST))
        self.assertTrue(self.look(b"\n " + MANIFEST))
        for content in (b"layer", b"\x1f\x8b", b"{", b'{"os": "linux"}', b" " * 64 + MANIFEST):
            self.assertFalse(self.look(content), content)

    def test_large(self) -> None:
        """A large blob is not read."""
        self.assertFalse(self.look(MANIFEST + b" " * 4 * 1024 * 1024))

    def test_remembered(self) -> None:
        """The result is cached until the file changes."""
        self.settle()
        for _ in range(2):
            self.assertTrue(self.look(MANIFEST))
            self.assertFalse(self.look(MANIFEST.replace(b"{", b"[", 1)))
