"""The one writer of a registry tree.

A tree is good at every moment: a blob or manifest is there whole or not at all, and a tag
only ever names a manifest that is there. The order (blobs, then the manifest that names
them, then the index that names that, the tag last) is the caller's.
"""

import os
from contextlib import ExitStack, suppress
from threading import Lock
from types import TracebackType
from typing import Self

from minreg.fill.contents import TreeContents, has_size, partial_path
from minreg.fill.durable import NewFiles, make_directories, writing
from minreg.fill.failures import ManifestMissing, TreeNotWritable
from minreg.fill.lock import TreeLock
from minreg.fill.new_blob import NewBlob
from minreg.fill.partial import Partial
from minreg.fill.places import BLOBS, MANIFESTS, PRIVATE, levels, lies_within, parse_place
from minreg.names import Digest, NameInvalid, is_tag


class TreeWriter:
    """Writes a registry tree, alone, between ``with`` and its end; from any thread.

    Repositories are named by their place in the tree: their name, below that of their
    host or without it. Everything here raises ``TreeNotWritable`` where a part of the
    tree cannot be written, and ``NameInvalid`` for a place that a tree cannot have.

    Args:
        root: The tree's root directory; it is made if it is not there.
        command: What is being done, for whoever finds the tree locked.
    """

    def __init__(self, root: str, command: str) -> None:
        self.root = root
        self.contents = TreeContents(root)
        self._command = command
        self._private = os.path.join(root, PRIVATE)
        self._shared = os.path.join(root, BLOBS)
        self._new = NewFiles(os.path.join(self._private, "new"))
        self._held = ExitStack()
        self._mutex = Lock()
        self._own_blobs: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Make the tree's own directories, and lock it.

        Raises:
            TreeLocked: Another process writes it.
        """
        make_directories(self._shared)
        for name in ("partial", "new"):
            make_directories(os.path.join(self._private, name))
        self._check_within(self._shared)
        lock = os.path.join(self._private, "lock")
        with writing(lock):
            self._held.enter_context(TreeLock(lock, self.root, self._command))
        self._new.discard_leftovers()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._held.close()

    def has_blob(self, repository: str, digest: Digest, size: int) -> bool:
        """Tell whether the tree has a blob; see ``TreeContents.has_blob``."""
        return self.contents.has_blob(repository, digest, size)

    def open_partial(self, digest: Digest) -> Partial:
        """Open a blob that the tree lacks, to write it; whoever gets it closes it.

        Once it is committed, ``link_blob`` makes it part of a repository.
        """
        return Partial(partial_path(self.root, digest), self._shared_path(digest), digest)

    def new_blob(self, algorithm: str) -> NewBlob:
        """Begin a blob whose digest is known once all of it is there.

        Whoever gets it discards it. Once it is committed, ``link_blob`` makes it part of
        a repository.
        """
        return NewBlob(self._new.name_new(), self._shared, algorithm)

    def find_blob(self, digest: Digest, size: int) -> str | None:
        """Find the file of a blob that the tree has for all repositories."""
        path = self._shared_path(digest)
        return path if has_size(path, size) else None

    def measure_room(self) -> int:
        """Tell how many bytes still fit on the disk."""
        with writing(self._private):
            status = os.statvfs(self._private)
        return status.f_bavail * status.f_frsize

    def link_blob(self, repository: str, digest: Digest, size: int) -> None:
        """Make sure that a repository shows a blob that the tree has.

        That takes more than the links above it only where the repository keeps blobs in
        a directory of its own.
        """
        path = os.path.join(self._blobs_of(repository), str(digest))
        if not has_size(path, size):
            self._new.place_hard_link(path, self._shared_path(digest))

    def write_manifest(self, repository: str, content: bytes, algorithm: str = "sha256") -> Digest:
        """Write a manifest or an index under its digest, unless it is there."""
        digest = Digest.of(content, algorithm)
        path = self._manifest_path(repository, str(digest))
        self._blobs_of(repository)
        if _read_file(path, len(content)) != content:
            make_directories(os.path.dirname(path))
            self._new.place_file(path, content)
        return digest

    def tag(self, repository: str, tag: str, digest: Digest) -> bool:
        """Make a tag name a manifest that is there, and tell whether it did not before.

        Raises:
            ManifestMissing: The manifest is not there.
            NameInvalid: It is no tag.
        """
        if not is_tag(tag):
            raise NameInvalid(f"{tag[:160]!r} is no tag")
        if not os.path.isfile(self._manifest_path(repository, str(digest))):
            raise ManifestMissing(f"{repository} has no manifest {digest} to tag as {tag}")
        path = self._manifest_path(repository, tag)
        if os.path.islink(path) and os.readlink(path) == str(digest):
            return False
        self._new.place_link(path, str(digest))
        return True

    def keep_file(self, path: str, content: bytes) -> None:
        """Keep a file that is no registry content, unless it is there as it should be.

        Args:
            path: Its path below the root.
            content: All of its bytes.
        """
        whole_path = os.path.join(self.root, path)
        if _read_file(whole_path, len(content)) != content:
            make_directories(os.path.dirname(whole_path))
            self._new.place_file(whole_path, content)

    def remove_tag(self, repository: str, tag: str) -> None:
        """Remove a tag; what it named stays."""
        self.remove_file(os.path.join(repository, MANIFESTS, tag))

    def remove_file(self, path: str) -> None:
        """Remove a file or a link below the root, if it is there."""
        whole_path = os.path.join(self.root, path)
        with writing(whole_path):
            with suppress(FileNotFoundError):
                os.unlink(whole_path)

    def remove_empty(self, repository: str) -> None:
        """Remove a repository without manifests, and each level that leads to no other."""
        with self._mutex:
            self._own_blobs.clear()
        self._remove_directory(os.path.join(repository, MANIFESTS))
        for level in reversed(levels(parse_place(repository))):
            directory = os.path.join(self.root, level)
            blobs = os.path.join(directory, BLOBS)
            if os.listdir(directory) == [BLOBS] and os.path.islink(blobs):
                self.remove_file(os.path.join(level, BLOBS))
            self._remove_directory(level)

    def _remove_directory(self, path: str) -> None:
        with suppress(OSError):
            os.rmdir(os.path.join(self.root, path))

    def _shared_path(self, digest: Digest) -> str:
        return os.path.join(self._shared, str(digest))

    def _manifest_path(self, repository: str, name: str) -> str:
        return os.path.join(self.root, parse_place(repository), MANIFESTS, name)

    def _blobs_of(self, repository: str) -> str:
        """Find the directory that holds a repository's blobs; make the links to it."""
        with self._mutex:
            if repository not in self._own_blobs:
                for level in levels(parse_place(repository)):
                    self._make_level(os.path.join(self.root, level))
                own = os.path.join(self.root, repository, BLOBS)
                self._check_within(own)
                self._own_blobs[repository] = os.path.realpath(own)
            return self._own_blobs[repository]

    def _make_level(self, directory: str) -> None:
        make_directories(directory)
        blobs = os.path.join(directory, BLOBS)
        if not os.path.lexists(blobs):
            self._new.place_link(blobs, os.path.join(os.pardir, BLOBS))

    def _check_within(self, directory: str) -> None:
        if not os.path.isdir(directory):
            raise TreeNotWritable(f"{directory} leads to no directory: remove it")
        if not lies_within(directory, self.root):
            raise TreeNotWritable(
                f"{directory} leads out of the tree, to {os.path.realpath(directory)}: "
                "put the content in its place, or fill another directory"
            )


def _read_file(path: str, size: int) -> bytes | None:
    """Read a file, unless its size shows that it is another than the one expected."""
    if not has_size(path, size):
        return None
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None
