"""Which upstream each image of a tree came from.

Without their hosts, the names of two registries may be the same: what one of them filled,
the other must not overwrite. An image that was asked for by its digest has no tag; that
its digest is kept here is what keeps it.
"""

import os

from minreg.fill.errors import TreeUnreadable
from minreg.fill.tree.layout import MANIFESTS, PRIVATE
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.names import Digest, ImageReference
from minreg.store.directory import digest_in_name
from minreg.store.interfaces import ContentInvalid
from minreg.store.rooted import RootedDirectory

_ORIGINS = os.path.join(PRIVATE, "origins")
_LONGEST = 4096


class Provenance:
    """Reads what is known of the images below a root directory.

    Args:
        root: The directory.
    """

    def __init__(self, root: str) -> None:
        self._files = RootedDirectory(root)

    def find(self, place: str, reference: str) -> str | None:
        """Name the upstream repository, with its host, that a tag or digest came from.

        Raises:
            TreeUnreadable: That cannot be read.
        """
        try:
            with self._files.open_file(_path(place, reference)).file as file:
                return file.read(_LONGEST).decode(errors="replace").strip() or None
        except FileNotFoundError:
            return None
        except ContentInvalid as error:
            raise TreeUnreadable(str(error)) from None

    def list_digests(self, place: str) -> list[Digest]:
        """List the digests that were asked for without a tag.

        Raises:
            ContentBroken: That cannot be read.
        """
        try:
            with self._files.scan(_path(place, "")) as (_, entries):
                names = sorted(entry.name for entry in entries)
        except FileNotFoundError:
            return []
        return [digest for digest in map(digest_in_name, names) if digest is not None]


def provenance_of(image: ImageReference) -> str:
    """Name the upstream repository of an image, with its host."""
    return f"{image.host}/{image.repository}"


def record_provenance(tree: TreeWriter, place: str, image: ImageReference) -> None:
    """Write down where an image came from."""
    reference = image.tag or image.reference
    tree.keep_file(_path(place, reference), f"{provenance_of(image)}\n".encode("ascii"))


def forget_provenance(tree: TreeWriter, place: str, reference: str) -> None:
    """Forget where an image came from; a digest that has no tag is kept no longer."""
    tree.remove_file(_path(place, reference))


def _path(place: str, reference: str) -> str:
    return os.path.join(_ORIGINS, place, MANIFESTS, reference)
