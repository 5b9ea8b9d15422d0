"""What the tests of ``minreg.fill.importer`` share: images, and a tree to import into."""

import io
import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import ArchiveInvalid
from minreg.fill.importer import ImportedImage, Importer
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.names import Digest
from minreg.store.tree import RegistryTree
from tests.image_archives import (
    Image,
    Members,
    make_tar,
)

AMD64 = Image("amd64")
ARM64 = Image("arm64", (make_tar([("pause", b"sleep on arm")]),))
S390X = Image("s390x")


class ImporterTestCase(SynchronousTestCase):
    """A tree to import into."""

    def setUp(self) -> None:
        """Name a tree that is not there yet."""
        self.root = os.path.abspath(self.mktemp())

    def import_stream(self, archive: bytes, **options: object) -> list[ImportedImage]:
        """Import what comes on standard input."""
        with TreeWriter(self.root, "a test") as tree:
            importer = Importer(tree, **options)  # type: ignore[arg-type] # as each test wants
            return importer.import_archive("-", io.BytesIO(archive))

    def import_members(self, members: Members, **options: object) -> list[ImportedImage]:
        """Import an archive with these members."""
        return self.import_stream(make_tar(members), **options)

    def refuse(self, members: Members, **options: object) -> str:
        """Import what is refused, see that nothing came of it, and return what was said."""
        before = self.list_tree()
        failure = self.assertRaises(ArchiveInvalid, self.import_members, members, **options)
        self.assertEqual(self.list_tree(), before)
        return str(failure)

    def list_tree(self) -> list[str]:
        """List the files of the tree, those out of sight too."""
        return sorted(
            os.path.join(directory, name)
            for directory, _, names in os.walk(self.root)
            for name in names
            if name != "lock"  # it names the process that had it last
        )

    def read_manifest(self, repository: str, reference: str | Digest) -> tuple[str, bytes]:
        """Ask the store for a manifest."""
        found = RegistryTree(self.root).find_repository(None, repository)
        content = found.open_manifest(reference)
        with content.file as file:
            return content.media_type, file.read()

    def read_blob(self, repository: str, content: bytes) -> bytes:
        """Ask the store for a blob."""
        found = RegistryTree(self.root).find_repository(None, repository)
        with found.open_blob(Digest.of(content)).file as file:
            return file.read()
