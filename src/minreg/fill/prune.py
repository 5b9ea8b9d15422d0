"""Removes from a tree what no image needs.

Nothing is removed unless it is known what is needed: a part of the tree that cannot be read
ends the planning. Tags are removed first, then manifests, then blobs: so a registry that serves
the tree meanwhile never finds a tag whose manifest or blobs are gone.
"""

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from operator import itemgetter

import attrs

from minreg.fill.errors import FillError, TreeUnreadable
from minreg.fill.tree.inventory import Inventory, list_images_in_tree
from minreg.fill.tree.layout import BLOBS, MANIFESTS, PRIVATE
from minreg.fill.tree.provenance import remove_provenance
from minreg.fill.tree.reader import TreeReader
from minreg.fill.tree.writer import TreeWriter
from minreg.fill.verify import needed_digests
from minreg.oci.names import Digest, ImageReference
from minreg.store.images import StoredImage
from minreg.store.index import METADATA, fallback_tag

_Identity = tuple[int, int] | None
_Key = tuple[_Identity, str]


@attrs.frozen
class PrunePlan:
    """What is to be removed.

    ``images`` are removed by name, ``manifests`` by repository and digest. ``blobs`` are paths
    below the root with sizes in bytes.
    """

    images: tuple[StoredImage, ...]
    manifests: tuple[tuple[str, Digest], ...]
    blobs: tuple[tuple[str, int], ...]

    @property
    def repositories(self) -> list[str]:
        """The repositories from which something is removed, sorted."""
        affected = {image.repository_path for image in self.images}
        return sorted(affected | {repository for repository, _ in self.manifests})

    @property
    def untagged(self) -> list[tuple[str, Digest]]:
        """The manifests that belong to none of ``images``."""
        tagged = {digest for image in self.images for digest in image.documents}
        return [
            (repository, digest) for repository, digest in self.manifests if digest not in tagged
        ]

    @property
    def size(self) -> int:
        """The size of the blobs in bytes."""
        return sum(size for _, size in self.blobs)


def plan_removal(
    root: str, keep: Collection[ImageReference] | None, allow_links_to: Sequence[str] = ()
) -> PrunePlan:
    """Find what no image needs.

    Args:
        root: The tree's root.
        keep: The images to keep, in the tree with or without their host; None for all.
        allow_links_to: Directories outside of the root that symbolic links may point to. Images
            there are kept, with all that they need.

    Raises:
        FillError: A part of the tree or an image cannot be read, so that it is not known what
            is needed.
    """
    contents = TreeReader(root, allow_links_to)
    inventory = list_images_in_tree(contents)
    for reason in inventory.unread:
        raise FillError(f"nothing was removed: it is not known what else is needed; {reason}")
    return _Planner(contents, inventory).plan(keep)


def remove(plan: PrunePlan, tree: TreeWriter) -> None:
    """Remove what was planned, from a tree that did not change since."""
    for image in plan.images:
        remove_provenance(tree, image.repository_path, str(image.reference))
        if isinstance(image.reference, str):
            tree.remove_tag(image.repository_path, image.reference)
    for repository, digest in plan.manifests:
        tree.remove_file(os.path.join(repository, MANIFESTS, str(digest)))
    for path, _ in plan.blobs:
        tree.remove_file(path)
    for repository in plan.repositories:
        tree.remove_empty(repository)


class _Planner:
    """Plans the removal from one tree.

    Links can give several paths to one repository. So repositories are compared by the device
    and inode number of their directory of manifests: what is kept under one path is kept.
    """

    def __init__(self, contents: TreeReader, inventory: Inventory) -> None:
        self._contents = contents
        self._images = inventory.images
        self._repositories = inventory.repositories
        self._identities = {
            repository: contents.identify(f"{repository}/{MANIFESTS}")
            for repository in self._repositories
        }
        # A reader that follows no link out of the tree: nothing is removed outside of it.
        self._inner = TreeReader(contents.root)
        self._inner_repositories = {
            repository: None
            for repository in self._repositories
            if self._inner.identify(f"{repository}/{MANIFESTS}")
        }

    def plan(self, keep: Collection[ImageReference] | None) -> PrunePlan:
        removed = [] if keep is None else self._select_removed(keep)
        removed_keys = set(map(id, removed))
        kept = [image for image in self._images if id(image) not in removed_keys]
        for image in kept:
            if not image.is_readable:
                raise FillError(
                    f"nothing was removed: {image} cannot be read ({image.problems[0]}), so it "
                    "is not known what it needs; download it again, or omit it from --keep-file"
                )
        manifests = tuple(self._find_manifests(kept))
        return PrunePlan(tuple(removed), manifests, tuple(self._find_blobs(needed_digests(kept))))

    def _select_removed(self, keep: Collection[ImageReference]) -> list[StoredImage]:
        kept: set[_Key] = {
            (self._contents.identify(f"{repository}/{MANIFESTS}"), str(reference))
            for image in keep
            for repository in _possible_repositories(image)
            for reference in (image.tag, image.digest)
            if reference
        }
        kept |= {
            self._key(image)
            for image in self._images
            if image.repository_path not in self._inner_repositories
        }
        self._add_referrer_tags(kept)
        return [image for image in self._images if self._key(image) not in kept]

    def _key(self, image: StoredImage) -> _Key:
        return self._identities[image.repository_path], str(image.reference)

    def _add_referrer_tags(self, kept: set[_Key]) -> None:
        """Keep tags that refer to kept images by their name, such as ``sha256-<hex>.sig``.

        Repeated until nothing is added, since a signature can be signed too.
        """
        size = -1
        while size != len(kept):
            size = len(kept)
            subjects = {
                (self._identities[image.repository_path], fallback_tag(digest))
                for image in self._images
                if self._key(image) in kept
                for digest in image.documents
            }
            for image in self._images:
                identity, reference = self._key(image)
                if (identity, reference.partition(".")[0]) in subjects:
                    kept.add((identity, reference))

    def _find_manifests(self, kept: Sequence[StoredImage]) -> Iterator[tuple[str, Digest]]:
        needed: dict[_Identity, set[Digest]] = defaultdict(set)
        for image in kept:
            needed[self._identities[image.repository_path]] |= needed_digests([image])
        by_identity = {
            self._identities[repository]: repository
            for repository in reversed(self._inner_repositories)
        }
        for identity, repository in sorted(by_identity.items(), key=itemgetter(1)):
            directory = f"{repository}/{MANIFESTS}"
            for digest in sorted(self._inner.list_blobs(directory).keys() - needed[identity]):
                self._check_readable(f"{directory}/{digest}")
                yield repository, digest

    def _check_readable(self, path: str) -> None:
        """Refuse to remove an unreadable manifest: it may be a referrer of a kept image."""
        whole_path = os.path.join(self._contents.root, path)
        if not os.access(whole_path, os.R_OK, effective_ids=True):
            raise TreeUnreadable(
                f"nothing was removed: {whole_path} cannot be read by this user, so it is not "
                "known what it refers to; give it permission (chmod a+rX)"
            )

    def _find_blobs(self, needed: Collection[Digest]) -> Iterator[tuple[str, int]]:
        """Yield the blobs and metadata that no image needs, and partial blobs."""
        directories: dict[_Identity, str] = {}
        below = (f"{name}/{part}" for name in self._repositories for part in (BLOBS, METADATA))
        for path in (BLOBS, *below):
            directories.setdefault(self._inner.identify(path), path)
        directories.pop(None, None)
        for path in directories.values():
            for digest, size in sorted(self._inner.list_blobs(path).items()):
                if digest not in needed:
                    yield f"{path}/{digest}", size
        partial = f"{PRIVATE}/partial"
        for digest, size in sorted(self._inner.list_blobs(partial).items()):
            yield f"{partial}/{digest}", size


def _possible_repositories(image: ImageReference) -> set[str]:
    """Return the paths that an image's repository can have, however the tree was filled."""
    trimmed = image.repository_path(trimmed=True)
    return {trimmed, trimmed.removeprefix("library/"), image.repository_path(trimmed=False)}
