"""Removes from a tree what no image needs.

First the tags that are to go, then manifests, the blobs last: a registry that serves the
tree meanwhile never finds a tag that leads nowhere.
"""

import os
from collections.abc import Collection, Iterable

import attrs

from minreg.fill.contents import TreeContents
from minreg.fill.failures import FillFailure
from minreg.fill.inventory import iterate_images
from minreg.fill.origins import forget_origin
from minreg.fill.places import BLOBS, MANIFESTS, PRIVATE, lies_within
from minreg.fill.verify import known_digests, list_blobs
from minreg.fill.writer import TreeWriter
from minreg.names import Digest
from minreg.references import ImageReference
from minreg.store.images import HeldImage


@attrs.frozen
class Removal:
    """What is to go: images by name, manifests by place, and blobs with their sizes.

    ``blobs`` has the path of each file below the root.
    """

    images: tuple[HeldImage, ...]
    manifests: tuple[tuple[str, Digest], ...]
    blobs: tuple[tuple[str, int], ...]

    @property
    def places(self) -> list[str]:
        """The repositories that lose something."""
        losing = {image.place for image in self.images} | {place for place, _ in self.manifests}
        return sorted(losing)

    @property
    def size(self) -> int:
        """Bytes of the blobs."""
        return sum(size for _, size in self.blobs)


def plan_removal(root: str, keep: Collection[ImageReference] | None) -> Removal:
    """Find out what no image needs.

    Args:
        root: The tree's root.
        keep: The images to keep, under their names with or without host; None for all.

    Raises:
        FillFailure: An image cannot be read, so that what belongs to it is not known.
    """
    contents = TreeContents(root)
    images = list(iterate_images(contents))
    going = [] if keep is None else [image for image in images if not _is_kept(image, keep)]
    staying = [image for image in images if image not in going]
    for image in staying:
        if not image.is_readable:
            raise FillFailure(
                f"{image} cannot be read ({image.problems[0]}), so what belongs to it is not "
                "known: download it again, or leave it out of a --keep-file"
            )
    manifests = [
        (place, digest)
        for place in contents.iterate_places()
        for digest in _unneeded_manifests(root, place, staying)
    ]
    blobs = _unneeded_blobs(contents, known_digests(staying))
    return Removal(tuple(going), tuple(manifests), tuple(blobs))


def remove(removal: Removal, tree: TreeWriter) -> None:
    """Remove what was planned, from a tree that was not changed since."""
    for image in removal.images:
        forget_origin(tree, image.place, str(image.reference))
        if isinstance(image.reference, str):
            tree.remove_tag(image.place, image.reference)
    for place, digest in removal.manifests:
        tree.remove_file(os.path.join(place, MANIFESTS, str(digest)))
    for path, _ in removal.blobs:
        tree.remove_file(path)
    for place in removal.places:
        tree.remove_empty(place)


def _unneeded_manifests(root: str, place: str, staying: Iterable[HeldImage]) -> list[Digest]:
    known = known_digests([image for image in staying if image.place == place])
    held = list_blobs(os.path.join(root, place, MANIFESTS))
    return sorted(held.keys() - known)


def _is_kept(image: HeldImage, keep: Collection[ImageReference]) -> bool:
    return any(
        image.place in _places(one) and str(image.reference) in {one.tag, str(one.digest)}
        for one in keep
    )


def _places(image: ImageReference) -> set[str]:
    """Name the places where an image may lie, however the tree was filled."""
    trimmed = image.place(trimmed=True)
    return {trimmed, trimmed.removeprefix("library/"), image.place(trimmed=False)}


def _unneeded_blobs(contents: TreeContents, known: set[Digest]) -> list[tuple[str, int]]:
    """List the blobs that nobody needs, in each directory that has some, and partial ones."""
    root = contents.root
    directories = {os.path.realpath(os.path.join(root, BLOBS)): BLOBS}
    for place in contents.iterate_places():
        directory = os.path.join(place, BLOBS)
        # What lies outside of the tree may be somebody else's.
        if lies_within(os.path.join(root, directory), root):
            directories.setdefault(os.path.realpath(os.path.join(root, directory)), directory)
    unneeded = [
        (os.path.join(directory, str(digest)), size)
        for directory in directories.values()
        for digest, size in sorted(list_blobs(os.path.join(root, directory)).items())
        if digest not in known
    ]
    partial = os.path.join(PRIVATE, "partial")
    unneeded += [
        (os.path.join(partial, str(digest)), size)
        for digest, size in sorted(list_blobs(os.path.join(root, partial)).items())
    ]
    return unneeded
