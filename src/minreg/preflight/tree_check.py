"""A preflight of a tree on this machine, which can also hash its blobs."""

import os
from collections.abc import Iterator, Mapping

import attrs

from minreg.oci.manifests import Descriptor
from minreg.oci.names import is_host
from minreg.preflight.check import CheckedImage, check_image
from minreg.preflight.query import PreflightQuery, resolve_images
from minreg.preflight.report import (
    PreflightFindings,
    PreflightReport,
    list_findings,
    make_report,
)
from minreg.store.hashing import Advanced, find_corrupt_files
from minreg.store.index import blob_path
from minreg.store.tree import RegistryTree


class TreePreflight:
    """The images that a query means, checked against a tree.

    Args:
        tree: The tree.
        aliases: Names of the registry that will serve the tree, each with the upstream host
            that it stands for.
        query: What to check.

    Raises:
        CannotCheck: The images that the query means cannot be determined.
        StoreUnavailable: The tree cannot be read.
    """

    def __init__(
        self, tree: RegistryTree, aliases: Mapping[str, str], query: PreflightQuery
    ) -> None:
        self._root = tree.root
        self._aliases = aliases
        self._query = query
        self._images = resolve_images(tree, query)
        self._checked = [
            check_image(tree, required, platform)
            for required in self._images
            for platform in query.platforms
        ]

    @property
    def has_hosts(self) -> bool:
        """Whether the tree has images below the names of their hosts."""
        paths = (
            checked.stored.repository_path
            for checked in self._checked
            if checked.stored is not None
        )
        return any(is_host(path.partition("/")[0]) for path in paths)

    @property
    def total_bytes(self) -> int:
        """Bytes to hash."""
        return sum(blob.size for blob in self._files().values())

    def hash_all(self, advanced: Advanced) -> None:
        """Hash each blob once, and add the corrupt ones to the problems of their images.

        Args:
            advanced: Called with the progress.
        """
        files = {path: blob.digest for path, blob in self._files().items()}
        corrupt = find_corrupt_files(files, advanced)
        self._checked = [
            attrs.evolve(
                checked,
                problems=(
                    *checked.problems,
                    *(str(corrupt[path]) for path, _ in self._blobs(checked) if path in corrupt),
                ),
            )
            for checked in self._checked
        ]

    def report(self, *, ignores_likely: bool = False) -> PreflightReport:
        """Return the report.

        Args:
            ignores_likely: Whether findings on likely images do not count.
        """
        findings = PreflightFindings()
        for checked in self._checked:
            findings.add(list_findings(checked, self._aliases))
        return make_report(
            len(self._images), self._query.platforms, findings, ignores_likely=ignores_likely
        )

    def _files(self) -> dict[str, Descriptor]:
        return {path: blob for checked in self._checked for path, blob in self._blobs(checked)}

    def _blobs(self, checked: CheckedImage) -> Iterator[tuple[str, Descriptor]]:
        """Yield the files of an image's blobs, except those that are already reported."""
        stored = checked.stored
        if stored is None:
            return
        for digest, blob in stored.blobs.items():
            if digest not in stored.faulty:
                path = blob_path(self._root, stored.repository_path, digest)
                yield os.path.realpath(path), blob
