"""Removes from a tree what no image needs.

What is needed is known, or nothing is removed: whatever cannot be looked at ends the
planning. First the tags that are to go, then manifests, the blobs last: a registry that serves the
tree meanwhile never finds a tag that leads nowhere.
"""

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from operator import itemgetter

import attrs

from minreg.fill.errors import FillError, TreeUnreadable
from minreg.fill.tree.inventory import Inventory, list_images_in_tree
from minreg.fill.tree.layout import BLOBS, MANIFESTS, PRIVATE
from minreg.fill.tree.provenance import forget_provenance
from minreg.fill.tree.reader import TreeReader
from minreg.fill.tree.writer import TreeWriter
from minreg.fill.verify import known_digests
from minreg.oci.names import Digest, ImageReference
from minreg.store.images import StoredImage
from minreg.store.index import fallback_tag

_Home = tuple[int, int] | None
_Key = tuple[_Home, str]


@attrs.frozen
class PrunePlan:
    """What is to go: images by name, manifests by place, and blobs with their sizes.

    ``blobs`` has the path of each file below the root.
    """

    images: tuple[StoredImage, ...]
    manifests: tuple[tuple[str, Digest], ...]
    blobs: tuple[tuple[str, int], ...]

    @property
    def places(self) -> list[str]:
        """The repositories that lose something."""
        losing = {image.place for image in self.images} | {place for place, _ in self.manifests}
        return sorted(losing)

    @property
    def untagged(self) -> list[tuple[str, Digest]]:
        """The manifests that belong to none of the images."""
        tagged = {digest for image in self.images for digest in image.documents}
        return [(place, digest) for place, digest in self.manifests if digest not in tagged]

    @property
    def size(self) -> int:
        """Bytes of the blobs."""
        return sum(size for _, size in self.blobs)


def plan_removal(
    root: str, keep: Collection[ImageReference] | None, allow_links_to: Sequence[str] = ()
) -> PrunePlan:
    """Find out what no image needs.

    Args:
        root: The tree's root.
        keep: The images to keep, under their names with or without host; None for all.
        allow_links_to: Directories outside of the root that links may lead to. What lies
            there is kept, with all that it needs.

    Raises:
        FillFailure: A part of the tree or an image cannot be read, so that what is needed
            is not known.
    """
    contents = TreeReader(root, allow_links_to)
    inventory = list_images_in_tree(contents)
    for reason in inventory.unread:
        raise FillError(f"what else is needed is not known, so nothing is removed: {reason}")
    return _Planning(contents, inventory).run(keep)


def remove(removal: PrunePlan, tree: TreeWriter) -> None:
    """Remove what was planned, from a tree that was not changed since."""
    for image in removal.images:
        forget_provenance(tree, image.place, str(image.reference))
        if isinstance(image.reference, str):
            tree.remove_tag(image.place, image.reference)
    for place, digest in removal.manifests:
        tree.remove_file(os.path.join(place, MANIFESTS, str(digest)))
    for path, _ in removal.blobs:
        tree.remove_file(path)
    for place in removal.places:
        tree.remove_empty(place)


class _Planning:
    """The planning of one removal.

    A repository's home is its directory of manifests, whatever it is called there: links
    may give it several names, and what is kept under one of them is kept.
    """

    def __init__(self, contents: TreeReader, inventory: Inventory) -> None:
        self._contents = contents
        self._images = inventory.images
        self._places = inventory.places
        self._homes = {place: contents.identify(f"{place}/{MANIFESTS}") for place in self._places}
        # Without what links lead to outside of the tree, for that may be somebody else's.
        self._own = TreeReader(contents.root)
        self._own_places = {
            place: None for place in self._places if self._own.identify(f"{place}/{MANIFESTS}")
        }

    def run(self, keep: Collection[ImageReference] | None) -> PrunePlan:
        going = [] if keep is None else self._choose_going(keep)
        gone = set(map(id, going))
        staying = [image for image in self._images if id(image) not in gone]
        for image in staying:
            if not image.is_readable:
                raise FillError(
                    f"{image} cannot be read ({image.problems[0]}), so what belongs to it is not "
                    "known: download it again, or leave it out of a --keep-file"
                )
        manifests = tuple(self._find_manifests(staying))
        return PrunePlan(tuple(going), manifests, tuple(self._find_blobs(known_digests(staying))))

    def _choose_going(self, keep: Collection[ImageReference]) -> list[StoredImage]:
        kept: set[_Key] = {
            (self._contents.identify(f"{place}/{MANIFESTS}"), str(reference))
            for image in keep
            for place in _places(image)
            for reference in (image.tag, image.digest)
            if reference
        }
        kept |= {self._key(one) for one in self._images if one.place not in self._own_places}
        self._keep_signatures(kept)
        return [image for image in self._images if self._key(image) not in kept]

    def _key(self, image: StoredImage) -> _Key:
        return self._homes[image.place], str(image.reference)

    def _keep_signatures(self, kept: set[_Key]) -> None:
        """Keep what tags say of kept images, and of that: ``sha256-<hex>.sig`` and the like."""
        known = -1
        while known != len(kept):
            known = len(kept)
            subjects = {
                (self._homes[image.place], fallback_tag(digest))
                for image in self._images
                if self._key(image) in kept
                for digest in image.documents
            }
            for image in self._images:
                home, reference = self._key(image)
                if (home, reference.partition(".")[0]) in subjects:
                    kept.add((home, reference))

    def _find_manifests(self, staying: Sequence[StoredImage]) -> Iterator[tuple[str, Digest]]:
        known: dict[_Home, set[Digest]] = defaultdict(set)
        for image in staying:
            known[self._homes[image.place]] |= known_digests([image])
        own = {self._homes[place]: place for place in reversed(self._own_places)}
        for home, place in sorted(own.items(), key=itemgetter(1)):
            directory = f"{place}/{MANIFESTS}"
            for digest in sorted(self._own.list_blobs(directory).keys() - known[home]):
                self._check_readable(f"{directory}/{digest}")
                yield place, digest

    def _check_readable(self, path: str) -> None:
        """Refuse to remove a manifest that may say what it belongs to, and cannot be read."""
        whole_path = os.path.join(self._contents.root, path)
        if not os.access(whole_path, os.R_OK, effective_ids=True):
            raise TreeUnreadable(
                f"{whole_path} cannot be read by this user, so what it belongs to is not known: "
                "give it the right to (chmod a+rX)"
            )

    def _find_blobs(self, known: Collection[Digest]) -> Iterator[tuple[str, int]]:
        """Find the blobs that nobody needs, in each directory that has some, and partial ones."""
        directories: dict[_Home, str] = {}
        for path in (BLOBS, *(f"{place}/{BLOBS}" for place in self._places)):
            directories.setdefault(self._own.identify(path), path)
        directories.pop(None, None)
        for path in directories.values():
            for digest, size in sorted(self._own.list_blobs(path).items()):
                if digest not in known:
                    yield f"{path}/{digest}", size
        partial = f"{PRIVATE}/partial"
        for digest, size in sorted(self._own.list_blobs(partial).items()):
            yield f"{partial}/{digest}", size


def _places(image: ImageReference) -> set[str]:
    """Name the places where an image may lie, however the tree was filled."""
    trimmed = image.place(trimmed=True)
    return {trimmed, trimmed.removeprefix("library/"), image.place(trimmed=False)}
