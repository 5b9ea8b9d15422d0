"""Records which upstream repository each image of a tree came from.

Repositories of two registries can have the same path in a tree, because the host can be left
out of it. An image from one must not replace an image from the other. Also, an image that was
requested by digest has no tag: the record of its digest is what protects it from ``prune``.
"""

import os

from minreg.fill.errors import TreeUnreadable
from minreg.fill.tree.layout import MANIFESTS, PRIVATE
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.names import Digest, ImageReference
from minreg.store.index import digest_in_name
from minreg.store.interfaces import ContentInvalid
from minreg.store.rooted import RootedDirectory

_RECORDS = os.path.join(PRIVATE, "origins")
_MAX_RECORD = 4096


class Provenance:
    """Reads the records of one tree.

    Args:
        root: The root of the tree.
    """

    def __init__(self, root: str) -> None:
        self._files = RootedDirectory(root)

    def find(self, repository: str, reference: str) -> str | None:
        """Return the upstream repository, with its host, of a tag or digest.

        Returns:
            The repository, or None if there is no record.

        Raises:
            TreeUnreadable: The record cannot be read.
        """
        try:
            with self._files.open_file(_record_path(repository, reference)).file as file:
                return file.read(_MAX_RECORD).decode(errors="replace").strip() or None
        except FileNotFoundError:
            return None
        except ContentInvalid as error:
            raise TreeUnreadable(str(error)) from None

    def list_digests(self, repository: str) -> list[Digest]:
        """Return the digests of the images that were requested by digest, sorted.

        Raises:
            ContentInvalid: The records cannot be read.
        """
        try:
            with self._files.scan(_record_path(repository, "")) as (_, entries):
                names = sorted(entry.name for entry in entries)
        except FileNotFoundError:
            return []
        return [digest for digest in map(digest_in_name, names) if digest is not None]


def provenance_of(image: ImageReference) -> str:
    """Return the upstream repository of an image, with its host."""
    return f"{image.host}/{image.repository}"


def record_provenance(tree: TreeWriter, repository: str, image: ImageReference) -> None:
    """Record the upstream repository of an image."""
    reference = image.tag or image.reference
    path = _record_path(repository, reference)
    tree.write_file_if_changed(path, f"{provenance_of(image)}\n".encode("ascii"))


def remove_provenance(tree: TreeWriter, repository: str, reference: str) -> None:
    """Remove the record of a tag or digest; ``prune`` keeps an untagged digest no longer."""
    tree.remove_file(_record_path(repository, reference))


def _record_path(repository: str, reference: str) -> str:
    return os.path.join(_RECORDS, repository, MANIFESTS, reference)
