"""Checks that a tree holds what its tags promise, byte for byte if wanted."""

import os
from collections.abc import Iterator, Sequence

import attrs

from minreg.fill.contents import TreeContents
from minreg.fill.inventory import iterate_images
from minreg.fill.places import BLOBS
from minreg.fill.platforms import is_wanted
from minreg.manifests import Platform
from minreg.names import Digest, DigestInvalid
from minreg.store.directory import blob_path
from minreg.store.hashing import Advanced, find_damage
from minreg.store.images import HeldImage


@attrs.frozen
class Finding:
    """An image, and what is wrong with it; nothing if it is complete."""

    image: HeldImage
    problems: tuple[str, ...]


@attrs.frozen
class Report:
    """What was found.

    ``checked_bytes`` were read and hashed; ``orphans`` and ``orphan_bytes`` are the blobs
    that belong to no image, which is no fault.
    """

    findings: tuple[Finding, ...]
    checked_files: int
    checked_bytes: int
    orphans: int
    orphan_bytes: int

    @property
    def broken(self) -> list[Finding]:
        """The images that are not complete."""
        return [finding for finding in self.findings if finding.problems]


class Verification:
    """The checking of one tree.

    Args:
        root: Its root.
        wanted: Platforms that each image must have, if its index names them; none for
            all of them, and None for whichever are there.
    """

    def __init__(self, root: str, wanted: Sequence[Platform] | None = None) -> None:
        self._root = root
        self._wanted = wanted
        self.images = list(iterate_images(TreeContents(root)))
        self._files = self._collect_files()

    @property
    def total_bytes(self) -> int:
        """Bytes that there are to hash."""
        return sum(size for _, size in self._files.values())

    def run(self, advanced: Advanced, threads: int | None = None) -> Report:
        """Check presence, sizes and digests.

        Args:
            advanced: Told how many more bytes were hashed, in any thread.
            threads: As for ``find_damage``.
        """
        files = {path: digest for path, (digest, _) in self._files.items()}
        broken = find_damage(files, advanced, threads)
        return self._report(broken, len(self._files), self.total_bytes)

    def run_quickly(self) -> Report:
        """Check presence and sizes only."""
        return self._report({}, 0, 0)

    def _report(self, broken: dict[str, str], files: int, size: int) -> Report:
        findings = tuple(
            Finding(image, tuple(self._find_problems(image, broken))) for image in self.images
        )
        orphans = self._find_orphans()
        return Report(findings, files, size, len(orphans), sum(orphans.values()))

    def _find_problems(self, image: HeldImage, broken: dict[str, str]) -> Iterator[str]:
        yield from image.problems
        yield from self._find_absent(image)
        for digest in image.blobs:
            path = self._real_path(image, digest)
            if path in broken:
                yield broken[path]

    def _find_absent(self, image: HeldImage) -> list[str]:
        """Find wanted platforms that the image's index names and the tree lacks."""
        return [
            f"{platform} is not here"
            for platform in image.absent
            if self._wanted is not None and is_wanted(platform, self._wanted)
        ]

    def _collect_files(self) -> dict[str, tuple[Digest, int]]:
        """Collect the files of all blobs, each once, with what they should hash to."""
        files = {}
        for image in self.images:
            for digest in image.blobs:
                path = self._real_path(image, digest)
                if os.path.isfile(path):
                    files[path] = (digest, os.stat(path).st_size)
        return files

    def _real_path(self, image: HeldImage, digest: Digest) -> str:
        return os.path.realpath(blob_path(self._root, image.place, digest))

    def _find_orphans(self) -> dict[Digest, int]:
        """Find the blobs that all repositories share and no image needs, with their sizes."""
        known = known_digests(self.images)
        return {
            digest: size
            for digest, size in list_blobs(os.path.join(self._root, BLOBS)).items()
            if digest not in known
        }


def known_digests(images: Sequence[HeldImage]) -> set[Digest]:
    """Collect all that images are made of."""
    return {digest for image in images for digest in (*image.documents, *image.blobs)}


def list_blobs(directory: str) -> dict[Digest, int]:
    """List the blobs in a directory with their sizes, in bytes."""
    found = {}
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                try:
                    found[Digest.parse(entry.name)] = entry.stat().st_size
                except (DigestInvalid, OSError):
                    continue
    except OSError:
        return {}
    return found
