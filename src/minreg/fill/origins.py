"""Which upstream each image of a tree came from.

Without their hosts, the names of two registries may be the same: what one of them filled,
the other must not overwrite. An image that was asked for by its digest has no tag; that
its digest is kept here is what keeps it.
"""

import os

import attrs

from minreg.fill.places import MANIFESTS, PRIVATE
from minreg.fill.writer import TreeWriter
from minreg.names import Digest, DigestInvalid
from minreg.references import ImageReference

_ORIGINS = os.path.join(PRIVATE, "origins")
_LONGEST = 4096


@attrs.frozen
class Origins:
    """Reads what is known of the images below a root directory."""

    root: str

    def find(self, place: str, reference: str) -> str | None:
        """Name the upstream repository, with its host, that a tag or digest came from."""
        try:
            with open(os.path.join(self.root, _path(place, reference)), "rb") as file:
                return file.read(_LONGEST).decode(errors="replace").strip() or None
        except OSError:
            return None

    def list_digests(self, place: str) -> list[Digest]:
        """List the digests that were asked for without a tag."""
        digests = []
        try:
            names = os.listdir(os.path.join(self.root, _path(place, "")))
        except OSError:
            return []
        for name in sorted(names):
            try:
                digests.append(Digest.parse(name))
            except DigestInvalid:
                continue
        return digests


def origin_of(image: ImageReference) -> str:
    """Name the upstream repository of an image, with its host."""
    return f"{image.host}/{image.repository}"


def record_origin(tree: TreeWriter, place: str, image: ImageReference) -> None:
    """Write down where an image came from."""
    reference = image.tag or image.reference
    tree.keep_file(_path(place, reference), f"{origin_of(image)}\n".encode("ascii"))


def forget_origin(tree: TreeWriter, place: str, reference: str) -> None:
    """Forget where an image came from; a digest that has no tag is kept no longer."""
    tree.remove_file(_path(place, reference))


def _path(place: str, reference: str) -> str:
    return os.path.join(_ORIGINS, place, MANIFESTS, reference)
