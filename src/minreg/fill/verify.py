"""Verifies that a tree has all that its tags name: presence, sizes, and on demand digests."""

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
from minreg.store.hashing import Advanced, find_corrupt_files
from minreg.store.images import StoredImage
from minreg.store.index import blob_path


@attrs.frozen
class VerifiedImage:
    """An image, its problems, and the requested platforms that the tree lacks of it.

    ``problems`` and ``lacking`` are empty if the image is complete.
    """

    image: StoredImage
    problems: tuple[str, ...]
    lacking: tuple[Platform, ...] = ()


@attrs.frozen
class VerifyReport:
    """The result of a verification.

    ``unread`` has one line for each part of the tree that could not be read. ``checked_files``
    and ``checked_bytes`` count what was hashed. ``orphans`` is the number of blobs that belong
    to no image, ``orphan_bytes`` their size; they are no problem. ``orphans`` is None if it is
    not known which blobs the images need.
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
        """The images that are broken, or lack a requested platform."""
        return [finding for finding in self.findings if finding.problems or finding.lacking]


class Verification:
    """The verification of one tree.

    Args:
        root: Its root.
        platforms: The platforms that each image must have; empty for all that its index names,
            None for those that the tree has.
        allow_links_to: Directories outside of the root that symbolic links may point to.
    """

    def __init__(
        self,
        root: str,
        platforms: Sequence[Platform] | None = None,
        allow_links_to: Sequence[str] = (),
    ) -> None:
        self._root = root
        self._platforms = platforms
        self._contents = TreeReader(root, allow_links_to)
        inventory = list_images_in_tree(self._contents)
        self.images = inventory.images
        self._unread = list(inventory.unread)
        self._files = self._collect_files()

    @property
    def total_bytes(self) -> int:
        """The number of bytes that ``run`` hashes."""
        return sum(size for _, size in self._files.values())

    def run(self, advanced: Advanced, threads: int | None = None) -> VerifyReport:
        """Verify presence, sizes and digests.

        Args:
            advanced: Called with the number of bytes that were hashed since its last call, in
                any thread.
            threads: As for ``find_corrupt_files``.
        """
        files = {path: digest for path, (digest, _) in self._files.items()}
        corrupt = find_corrupt_files(files, advanced, threads)
        hashed = [
            size
            for path, (_, size) in self._files.items()
            if path not in corrupt or corrupt[path].is_read
        ]
        return self._report({path: str(reason) for path, reason in corrupt.items()}, hashed)

    def run_quickly(self) -> VerifyReport:
        """Verify presence and sizes only."""
        return self._report({}, [])

    def _report(self, corrupt: Mapping[str, str], hashed: Sequence[int]) -> VerifyReport:
        findings = tuple(
            VerifiedImage(
                image,
                tuple(self._find_problems(image, corrupt)),
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

    def _find_problems(self, image: StoredImage, corrupt: Mapping[str, str]) -> Iterator[str]:
        yield from image.problems
        for digest in (*image.blobs, *image.metadata_blobs):
            path = self._real_path(image, digest)
            if path in corrupt:
                yield corrupt[path]

    def _find_lacking(self, image: StoredImage) -> Iterator[Platform]:
        """Yield each requested platform that the tree lacks.

        An artifact without platforms, such as a Helm chart, lacks none.
        """
        named = (*image.present, *image.absent)
        if self._platforms is None or not named:
            return
        for child in image.absent_manifests:
            # "All platforms" are those that a registry can have.
            if not self._platforms and child.digest in image.nondistributable:
                continue
            if child.platform is None or child.is_attestation:
                continue
            if is_requested(child.platform, self._platforms):
                yield child.platform
        for requested in self._platforms:
            if find_best(named, requested) is None and not any(
                is_requested(platform, [requested]) for platform in named
            ):
                yield requested

    def _collect_files(self) -> dict[str, tuple[Digest, int]]:
        """Return the files of all blobs, each once, with their digests and sizes in bytes."""
        files = {}
        for image in self.images:
            for digest, blob in image.blobs.items():
                if digest not in image.faulty:
                    files[self._real_path(image, digest)] = (digest, blob.size)
            for digest, blob in image.metadata_blobs.items():
                path = self._real_path(image, digest)
                if os.path.isfile(path):
                    files[path] = (digest, blob.size)
        return files

    def _real_path(self, image: StoredImage, digest: Digest) -> str:
        return os.path.realpath(blob_path(self._root, image.repository_path, digest))

    def _find_orphans(self) -> dict[Digest, int] | None:
        """Return the shared blobs that no image needs, with sizes; None if that is not known."""
        if self._unread or not all(image.is_readable for image in self.images):
            return None
        needed = needed_digests(self.images)
        try:
            blobs = self._contents.list_blobs(BLOBS)
        except TreeUnreadable as error:
            self._unread.append(str(error))
            return None
        return {digest: size for digest, size in blobs.items() if digest not in needed}


def needed_digests(images: Sequence[StoredImage]) -> set[Digest]:
    """Return the digests of all manifests and blobs of images."""
    return {
        digest
        for image in images
        for digest in (
            *image.documents,
            *image.blobs,
            *(stored.digest for stored in image.metadata),
            *image.metadata_blobs,
        )
    }
