"""One writer per tree at a time.

The lock is the kernel's (``flock``): it ends with the process that holds it, however that
ends. The file stays, and names the last holder for whoever is turned away.
"""

import errno
import fcntl
import os
from contextlib import ExitStack, suppress
from threading import Lock
from types import TracebackType
from typing import Self

from minreg.fill.errors import ManifestMissing, TreeLocked
from minreg.fill.tree.atomic import AtomicFiles, PartialBlob, StagedBlob, make_directories
from minreg.fill.tree.directories import Directories, Directory
from minreg.fill.tree.layout import BLOBS, MANIFESTS, PRIVATE, levels, parse_place
from minreg.fill.tree.reader import TreeReader
from minreg.oci.names import Digest, NameInvalid, is_tag

_NAME = "lock"
_LONGEST_HOLDER = 4096


class TreeLock:
    """The right to write a tree, held between ``with`` and its end.

    Args:
        directory: Where the lock's file lies.
        root: The tree's root, for the message.
        command: What the holder does, such as ``minreg download``.
    """

    def __init__(self, directory: Directory, root: str, command: str) -> None:
        self._directory = directory
        self._root = root
        self._command = command
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            TreeLocked: Another process has it; the text says which.
            TreeNotWritable: Its file is none that may be written.
        """
        self._descriptor = self._directory.open_file(_NAME, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()} {self._command}\n".encode(), 0)
        except OSError as error:
            holder = os.pread(self._descriptor, _LONGEST_HOLDER, 0)
            os.close(self._descriptor)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            raise TreeLocked(self._describe(holder)) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def _describe(self, holder: bytes) -> str:
        process, _, command = holder.decode(errors="replace").strip().partition(" ")
        who = f"process {process} ({command})" if process else "another process"
        return f"{self._root} is being written by {who}: wait until that ends, or end it"


class TreeWriter:
    """Writes a registry tree, alone, between ``with`` and its end; from any thread.

    Repositories are named by their place in the tree: their name, below that of their
    host or without it. Everything here raises ``TreeNotWritable`` where a part of the
    tree cannot be written or leads out of it (see ``minreg.fill.tree.directories``), and
    ``NameInvalid`` for a place that a tree cannot have.

    Args:
        root: The tree's root directory; it is made if it is not there.
        command: What is being done, for whoever finds the tree locked.
    """

    def __init__(self, root: str, command: str) -> None:
        self.root = root
        self.contents = TreeReader(root)
        self._command = command
        self._directories = Directories(root)
        self._held = ExitStack()
        self._mutex = Lock()
        self._ready: set[str] = set()

    def __enter__(self) -> Self:
        """Make the tree's own directories, and lock it.

        Raises:
            TreeLocked: Another process writes it.
        """
        make_directories(self.root)
        with ExitStack() as held:
            self._private = self._hold(held, PRIVATE)
            held.enter_context(TreeLock(self._private, self.root, self._command))
            self._partial = self._hold(held, f"{PRIVATE}/partial")
            self._new_directory = self._hold(held, f"{PRIVATE}/new")
            self._blobs = self._hold(held, BLOBS)
            self._new = AtomicFiles(self._new_directory)
            self._new.discard_leftovers()
            self._held = held.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._held.close()

    def has_blob(self, repository: str, digest: Digest, size: int) -> bool:
        """Tell whether the tree has a blob; see ``TreeReader.has_blob``."""
        return self.contents.has_blob(repository, digest, size)

    def open_partial(self, digest: Digest) -> PartialBlob:
        """Open a blob that the tree lacks, to write it; whoever gets it closes it.

        Once it is committed, ``link_blob`` makes it part of a repository.
        """
        return PartialBlob(self._partial, self._blobs, digest)

    def new_blob(self, algorithm: str) -> StagedBlob:
        """Begin a blob whose digest is known once all of it is there.

        Whoever gets it discards it. Once it is committed, ``link_blob`` makes it part of
        a repository.
        """
        return StagedBlob(self._new_directory, self._new.name_new(), self._blobs, algorithm)

    def find_blob(self, digest: Digest, size: int) -> str | None:
        """Find the file of a blob that the tree has for all repositories."""
        path = f"{BLOBS}/{digest}"
        return os.path.join(self.root, path) if self.contents.has_file(path, size) else None

    def measure_room(self) -> int:
        """Tell how many bytes still fit on the disk."""
        status = os.statvfs(self._private.descriptor)
        return status.f_bavail * status.f_frsize

    def link_blob(self, repository: str, digest: Digest, size: int) -> None:
        """Make sure that a repository shows a blob that the tree has.

        That takes more than the links above it only where the repository keeps blobs in
        a directory of its own.
        """
        self._make_ready(repository)
        path = f"{repository}/{BLOBS}"
        if not self.contents.has_file(f"{path}/{digest}", size):
            with self._directories.open(path) as own:
                self._new.place_hard_link(own, str(digest), self._blobs)

    def write_manifest(self, repository: str, content: bytes, algorithm: str = "sha256") -> Digest:
        """Write a manifest or an index under its digest, unless it is there."""
        digest = Digest.of(content, algorithm)
        self._make_ready(repository)
        self.keep_file(f"{repository}/{MANIFESTS}/{digest}", content)
        return digest

    def tag(self, repository: str, tag: str, digest: Digest) -> bool:
        """Make a tag name a manifest that is there, and tell whether it did not before.

        Raises:
            ManifestMissing: The manifest is not there.
            NameInvalid: It is no tag.
        """
        if not is_tag(tag):
            raise NameInvalid(f"{tag[:160]!r} is no tag")
        directory = f"{parse_place(repository)}/{MANIFESTS}"
        if not self.contents.has_file(f"{directory}/{digest}"):
            raise ManifestMissing(f"{repository} has no manifest {digest} to tag as {tag}")
        with self._directories.open(directory) as opened:
            if opened.read_link(tag) == str(digest):
                return False
            self._new.place_link(opened, tag, str(digest))
        return True

    def keep_file(self, path: str, content: bytes) -> None:
        """Keep a file, unless it is there as it should be.

        Args:
            path: Its path below the root.
            content: All of its bytes.
        """
        if self.contents.read_file(path, len(content)) == content:
            return
        above, name = os.path.split(path)
        self._directories.make(above)
        with self._directories.open(above) as directory:
            self._new.place_file(directory, name, content)

    def remove_tag(self, repository: str, tag: str) -> None:
        """Remove a tag; what it named stays."""
        self.remove_file(f"{repository}/{MANIFESTS}/{tag}")

    def remove_file(self, path: str) -> None:
        """Remove a file or a link below the root, if it is there."""
        above, name = os.path.split(path)
        with suppress(FileNotFoundError), self._directories.open(above) as directory:
            directory.remove(name)

    def remove_empty(self, repository: str) -> None:
        """Remove a repository without manifests, and each level that leads to no other."""
        with self._mutex:
            self._ready.clear()
        self._remove_directory(f"{repository}/{MANIFESTS}")
        for level in reversed(levels(parse_place(repository))):
            with suppress(FileNotFoundError), self._directories.open(level) as directory:
                if directory.list_names() == [BLOBS] and directory.read_link(BLOBS):
                    directory.remove(BLOBS)
            self._remove_directory(level)

    def _remove_directory(self, path: str) -> None:
        above, name = os.path.split(path)
        with suppress(FileNotFoundError), self._directories.open(above) as directory:
            directory.remove_directory(name)

    def _hold(self, held: ExitStack, path: str) -> Directory:
        """Make a directory of the tree's own, and keep it open."""
        self._directories.make(path)
        return held.enter_context(self._directories.open(path))

    def _make_ready(self, repository: str) -> None:
        """Make the directories above a repository, and the links to its blobs."""
        with self._mutex:
            if repository in self._ready:
                return
            for level in levels(parse_place(repository)):
                self._directories.make(level)
                with self._directories.open(level) as directory:
                    if not directory.has(BLOBS):
                        self._new.place_link(directory, BLOBS, f"{os.pardir}/{BLOBS}")
            self._directories.check(f"{repository}/{BLOBS}")
            self._ready.add(repository)
