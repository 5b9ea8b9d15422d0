"""Checks that a tree holds what its tags promise, byte for byte if wanted."""

import os
from collections.abc import Iterator, Mapping, Sequence

import attrs

from minreg.fill.errors import TreeUnreadable
from minreg.fill.platforms import is_requested
from minreg.fill.tree.inventory import list_images_in_tree
from minreg.fill.tree.layout import BLOBS
from minreg.fill.tree.reader import TreeReader
from minreg.oci.names import Digest
from minreg.oci.platforms import Platform, find_best
from minreg.store.directory import blob_path
from minreg.store.hashing import Advanced, find_corrupt_files
from minreg.store.images import StoredImage


@attrs.frozen
class VerifiedImage:
    """An image, what is wrong with it, and which of the wanted platforms it lacks.

    Both are empty if it is complete.
    """

    image: StoredImage
    problems: tuple[str, ...]
    lacking: tuple[Platform, ...] = ()


@attrs.frozen
class VerifyReport:
    """What was found.

    ``unread`` is what could not be looked at, one line each. ``checked_files`` and
    ``checked_bytes`` were read to their end. ``orphans`` and ``orphan_bytes`` are the blobs
    that belong to no image, which is no fault; None where what belongs to some image is
    not known.
    """

    findings: tuple[VerifiedImage, ...]
    unread: tuple[str, ...]
    checked_files: int
    checked_bytes: int
    orphans: int | None
    orphan_bytes: int

    @property
    def broken(self) -> list[VerifiedImage]:
        """The images of which something is missing or damaged."""
        return [finding for finding in self.findings if finding.problems]

    @property
    def incomplete(self) -> list[VerifiedImage]:
        """The images that are broken, or lack a platform that is wanted."""
        return [finding for finding in self.findings if finding.problems or finding.lacking]


class Verification:
    """The checking of one tree.

    Args:
        root: Its root.
        wanted: Platforms that each image must have; none for all that its index names,
            and None for whichever are there.
        allow_links_to: Directories outside of the root that links may lead to.
    """

    def __init__(
        self,
        root: str,
        wanted: Sequence[Platform] | None = None,
        allow_links_to: Sequence[str] = (),
    ) -> None:
        self._root = root
        self._wanted = wanted
        self._contents = TreeReader(root, allow_links_to)
        inventory = list_images_in_tree(self._contents)
        self.images = inventory.images
        self._unread = list(inventory.unread)
        self._files = self._collect_files()

    @property
    def total_bytes(self) -> int:
        """Bytes that there are to hash."""
        return sum(size for _, size in self._files.values())

    def run(self, advanced: Advanced, threads: int | None = None) -> VerifyReport:
        """Check presence, sizes and digests.

        Args:
            advanced: Told how many more bytes were hashed, in any thread.
            threads: As for ``find_corrupt_files``.
        """
        files = {path: digest for path, (digest, _) in self._files.items()}
        damaged = find_corrupt_files(files, advanced, threads)
        hashed = [
            size
            for path, (_, size) in self._files.items()
            if path not in damaged or damaged[path].is_read
        ]
        return self._report({path: str(fault) for path, fault in damaged.items()}, hashed)

    def run_quickly(self) -> VerifyReport:
        """Check presence and sizes only."""
        return self._report({}, [])

    def _report(self, broken: Mapping[str, str], hashed: Sequence[int]) -> VerifyReport:
        findings = tuple(
            VerifiedImage(
                image,
                tuple(self._find_problems(image, broken)),
                tuple(dict.fromkeys(self._find_lacking(image))),
            )
            for image in self.images
        )
        orphans = self._find_orphans()
        return VerifyReport(
            findings,
            tuple(self._unread),
            len(hashed),
            sum(hashed),
            None if orphans is None else len(orphans),
            sum((orphans or {}).values()),
        )

    def _find_problems(self, image: StoredImage, broken: Mapping[str, str]) -> Iterator[str]:
        yield from image.problems
        for digest in image.blobs:
            path = self._real_path(image, digest)
            if path in broken:
                yield broken[path]

    def _find_lacking(self, image: StoredImage) -> Iterator[Platform]:
        """Find wanted platforms that the tree lacks; what has none, as a chart, needs none."""
        named = (*image.present, *image.absent)
        if self._wanted is None or not named:
            return
        for platform in image.absent:
            if is_requested(platform, self._wanted):
                yield platform
        for wanted in self._wanted:
            if find_best(named, wanted) is None and not any(
                is_requested(platform, [wanted]) for platform in named
            ):
                yield wanted

    def _collect_files(self) -> dict[str, tuple[Digest, int]]:
        """Collect the files of all blobs, each once, with what they should hash to."""
        files = {}
        for image in self.images:
            for digest, blob in image.blobs.items():
                if digest not in image.faulty:
                    files[self._real_path(image, digest)] = (digest, blob.size)
        return files

    def _real_path(self, image: StoredImage, digest: Digest) -> str:
        return os.path.realpath(blob_path(self._root, image.place, digest))

    def _find_orphans(self) -> dict[Digest, int] | None:
        """Find the blobs that all repositories share and no image needs, with their sizes."""
        if self._unread or not all(image.is_readable for image in self.images):
            return None
        known = known_digests(self.images)
        try:
            blobs = self._contents.list_blobs(BLOBS)
        except TreeUnreadable as failure:
            self._unread.append(str(failure))
            return None
        return {digest: size for digest, size in blobs.items() if digest not in known}


def known_digests(images: Sequence[StoredImage]) -> set[Digest]:
    """Collect all that images are made of."""
    return {digest for image in images for digest in (*image.documents, *image.blobs)}
