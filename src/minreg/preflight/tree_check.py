"""A preflight over a tree on this machine, with as deep a look as is wanted."""

import os
from collections.abc import Iterator, Mapping

import attrs

from minreg.oci.manifests import Descriptor
from minreg.oci.names import is_host
from minreg.preflight.check import Checked, check_image
from minreg.preflight.query import PreflightQuery, find_images
from minreg.preflight.report import PreflightFindings, PreflightReport, find_in, make_report
from minreg.store.directory import blob_path
from minreg.store.hashing import Advanced, find_corrupt_files
from minreg.store.tree import RegistryTree


class Preflight:
    """The images that a question is about, looked at.

    Args:
        tree: Where they should be.
        aliases: Names of the registry that will serve the tree, each with the host that is
            meant by it.
        question: What is to be there.

    Raises:
        CannotLook: It is not known what that is.
        StoreUnavailable: The tree cannot be read.
    """

    def __init__(
        self, tree: RegistryTree, aliases: Mapping[str, str], question: PreflightQuery
    ) -> None:
        self._root = tree.root
        self._aliases = aliases
        self._question = question
        self._images = find_images(tree, question)
        self._checked = [
            check_image(tree, wanted, platform)
            for wanted in self._images
            for platform in question.platforms
        ]

    @property
    def has_hosts(self) -> bool:
        """Whether the tree keeps images below the names of their hosts."""
        paths = (one.held.repository_path for one in self._checked if one.held is not None)
        return any(is_host(path.partition("/")[0]) for path in paths)

    @property
    def total_bytes(self) -> int:
        """Bytes that there are to hash."""
        return sum(blob.size for blob in self._files().values())

    def hash_all(self, advanced: Advanced) -> None:
        """Hash each blob, once, and add what is wrong with it to what is known."""
        files = {path: blob.digest for path, blob in self._files().items()}
        damaged = find_corrupt_files(files, advanced)
        self._checked = [
            attrs.evolve(
                one,
                problems=(
                    *one.problems,
                    *(str(damaged[path]) for path, _ in self._blobs(one) if path in damaged),
                ),
            )
            for one in self._checked
        ]

    def report(self) -> PreflightReport:
        """Put together what was found."""
        findings = PreflightFindings()
        for one in self._checked:
            findings.add(find_in(one, self._aliases))
        return make_report(len(self._images), self._question.platforms, findings)

    def _files(self) -> dict[str, Descriptor]:
        return {path: blob for one in self._checked for path, blob in self._blobs(one)}

    def _blobs(self, one: Checked) -> Iterator[tuple[str, Descriptor]]:
        """Name the files of an image's blobs, but for those that are known to be faulty."""
        if one.held is None:
            return
        for digest, blob in one.held.blobs.items():
            if digest not in one.held.faulty:
                yield (
                    os.path.realpath(blob_path(self._root, one.held.repository_path, digest)),
                    blob,
                )
