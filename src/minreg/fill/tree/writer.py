"""Writes a registry tree; one process at a time."""

import errno
import fcntl
import os
from contextlib import AbstractContextManager, ExitStack, suppress
from threading import Lock
from typing import Self

from minreg.fill.errors import ManifestMissing, TreeLocked, TreeNotWritable
from minreg.fill.tree.directories import Directories, Directory
from minreg.fill.tree.layout import BLOBS, MANIFESTS, PRIVATE, levels, parse_repository_path
from minreg.fill.tree.reader import TreeReader
from minreg.fill.tree.staging import AtomicFiles, PartialBlob, StagedBlob, make_directories
from minreg.oci.names import Digest, NameInvalid, is_tag
from minreg.store.index import METADATA

_LOCK_NAME = "lock"
_MAX_HOLDER = 4096


class TreeLock(AbstractContextManager["TreeLock"]):
    """The lock of a tree, taken when the context begins.

    It is one of the kernel (flock(2)), which releases it when the process ends, for whatever
    reason. The file stays, and contains the process ID and the command of the last holder.

    Args:
        directory: The directory of the lock's file.
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
            TreeNotWritable: Its file cannot be written.
        """
        self._descriptor = self._directory.open_file(_LOCK_NAME, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()} {self._command}\n".encode(), 0)
        except OSError as error:
            holder = os.pread(self._descriptor, _MAX_HOLDER, 0)
            os.close(self._descriptor)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            raise TreeLocked(self._describe(holder)) from None
        return self

    def __exit__(self, *exc_info: object) -> None:
        os.close(self._descriptor)

    def _describe(self, holder: bytes) -> str:
        process, _, command = holder.decode(errors="replace").strip().partition(" ")
        name = f"process {process} ({command})" if process else "another process"
        return f"{self._root} is locked: {name} writes it; wait until that ends, or end it"


class TreeWriter(AbstractContextManager["TreeWriter"]):
    """Writes a registry tree, which it locks while the context lasts; from any thread.

    Repositories are named by their path below the root. Each method raises ``TreeNotWritable``
    where a part of the tree cannot be written or leads out of it (see
    ``minreg.fill.tree.directories``), and ``NameInvalid`` for a path that no repository can
    have.

    Args:
        root: The tree's root directory. It is created if it does not exist, and removed at the end
            if nothing was written to it, so that no command finds an empty tree later.
        command: The command that writes, for the message that the tree is locked.
    """

    def __init__(self, root: str, command: str) -> None:
        self.root = root
        self.contents = TreeReader(root)
        self._command = command
        self._directories = Directories(root)
        self._resources = ExitStack()
        self._mutex = Lock()
        self._prepared: set[str] = set()
        self._is_new = False

    def __enter__(self) -> Self:
        """Create the directories that every tree has, and lock the tree.

        Raises:
            TreeLocked: Another process writes it.
        """
        self._is_new = not os.path.lexists(self.root)
        make_directories(self.root)
        with ExitStack() as resources:
            self._private = self._open_own(resources, PRIVATE)
            resources.enter_context(TreeLock(self._private, self.root, self._command))
            self._partial = self._open_own(resources, f"{PRIVATE}/partial")
            self._staging = self._open_own(resources, f"{PRIVATE}/new")
            self._blobs = self._open_own(resources, BLOBS)
            self._atomic = AtomicFiles(self._staging)
            self._atomic.remove_leftovers()
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        is_empty = False
        if self._is_new:
            with suppress(OSError, TreeNotWritable):
                is_empty = self._remove_if_empty()
        self._resources.close()
        if is_empty:
            with suppress(OSError):
                os.rmdir(self.root)

    def _remove_if_empty(self) -> bool:
        """Remove all but the root, and return True, if nothing was written."""
        with self._directories.open("") as root:
            if set(root.list_names()) != {PRIVATE, BLOBS} or self._blobs.list_names():
                return False
            for name in ("new", "partial"):
                self._private.remove_directory(name)
            if self._private.list_names() != [_LOCK_NAME]:
                return False
            self._private.remove(_LOCK_NAME)
            for name in (PRIVATE, BLOBS):
                root.remove_directory(name)
        return True

    def has_blob(self, repository: str, digest: Digest, size: int) -> bool:
        """Return whether the tree has a blob; see ``TreeReader.has_blob``."""
        return self.contents.has_blob(repository, digest, size)

    def open_partial(self, digest: Digest) -> PartialBlob:
        """Open a blob that the tree lacks for writing; the caller closes it.

        Once it is committed, ``link_blob`` makes it part of a repository.
        """
        return PartialBlob(self._partial, self._blobs, digest)

    def new_blob(self, algorithm: str) -> StagedBlob:
        """Create a blob whose digest is known when it is complete; the caller discards it.

        Once it is committed, ``link_blob`` makes it part of a repository.
        """
        return StagedBlob(self._staging, self._atomic.new_name(), self._blobs, algorithm)

    def find_blob(self, digest: Digest, size: int) -> str | None:
        """Return the path of a blob that all repositories share; None if there is none."""
        path = f"{BLOBS}/{digest}"
        return os.path.join(self.root, path) if self.contents.has_file(path, size) else None

    def measure_free_space(self) -> int:
        """Return the free space of the disk in bytes, as far as this user may use it."""
        status = os.statvfs(self._private.descriptor)
        return status.f_bavail * status.f_frsize

    def link_blob(self, repository: str, digest: Digest, size: int) -> None:
        """Make a blob of the tree part of a repository.

        The link ``blobs`` in each level of its path does that already; only a repository that
        has a directory ``blobs`` of its own gets a hard link.
        """
        self._prepare(repository)
        path = f"{repository}/{BLOBS}"
        if not self.contents.has_file(f"{path}/{digest}", size):
            with self._directories.open(path) as own_blobs:
                self._atomic.write_hard_link(own_blobs, str(digest), self._blobs)

    def write_manifest(self, repository: str, content: bytes, algorithm: str = "sha256") -> Digest:
        """Write a manifest or index under its digest, unless it exists; return the digest."""
        digest = Digest.of(content, algorithm)
        self._prepare(repository)
        self.write_file_if_changed(f"{repository}/{MANIFESTS}/{digest}", content)
        self.remove_file(f"{repository}/{METADATA}/{digest}")
        return digest

    def write_metadata(self, repository: str, content: bytes, algorithm: str) -> None:
        """Write a manifest whose layers are not stored, unless the repository has it."""
        digest = Digest.of(content, algorithm)
        self._prepare(repository)
        if not self.contents.has_file(f"{repository}/{MANIFESTS}/{digest}", len(content)):
            self.write_file_if_changed(f"{repository}/{METADATA}/{digest}", content)

    def tag(self, repository: str, tag: str, digest: Digest) -> bool:
        """Point a tag to a manifest; return whether it pointed to another one, or was missing.

        Raises:
            ManifestMissing: The repository does not have the manifest.
            NameInvalid: The tag is malformed.
        """
        if not is_tag(tag):
            raise NameInvalid(f"{tag[:160]!r} is no tag")
        path = f"{parse_repository_path(repository)}/{MANIFESTS}"
        if not self.contents.has_file(f"{path}/{digest}"):
            raise ManifestMissing(f"{repository} has no manifest {digest} to tag as {tag}")
        with self._directories.open(path) as directory:
            if directory.read_link(tag) == str(digest):
                return False
            self._atomic.write_symbolic_link(directory, tag, str(digest))
        return True

    def write_file_if_changed(self, path: str, content: bytes) -> None:
        """Write a file, unless it has this content already.

        Args:
            path: Its path below the root.
            content: All of its bytes.
        """
        if self.contents.read_file(path, len(content)) == content:
            return
        parent, name = os.path.split(path)
        self._directories.make(parent)
        with self._directories.open(parent) as directory:
            self._atomic.write_file(directory, name, content)

    def remove_tag(self, repository: str, tag: str) -> None:
        """Remove a tag; the manifest stays."""
        self.remove_file(f"{repository}/{MANIFESTS}/{tag}")

    def remove_file(self, path: str) -> None:
        """Remove a file or a link below the root, if it exists."""
        parent, name = os.path.split(path)
        with suppress(FileNotFoundError), self._directories.open(parent) as directory:
            directory.remove(name)

    def remove_empty(self, repository: str) -> None:
        """Remove a repository without manifests, and each parent without another repository."""
        with self._mutex:
            self._prepared.clear()
        self._remove_directory(f"{repository}/{MANIFESTS}")
        self._remove_directory(f"{repository}/{METADATA}")
        for level in reversed(levels(parse_repository_path(repository))):
            with suppress(FileNotFoundError), self._directories.open(level) as directory:
                if directory.list_names() == [BLOBS] and directory.read_link(BLOBS):
                    directory.remove(BLOBS)
            self._remove_directory(level)

    def _remove_directory(self, path: str) -> None:
        parent, name = os.path.split(path)
        with suppress(FileNotFoundError), self._directories.open(parent) as directory:
            directory.remove_directory(name)

    def _open_own(self, resources: ExitStack, path: str) -> Directory:
        """Create a directory that every tree has, and open it until ``resources`` is closed."""
        self._directories.make(path)
        return resources.enter_context(self._directories.open(path))

    def _prepare(self, repository: str) -> None:
        """Create the directories of a repository's path, and their links ``blobs``."""
        with self._mutex:
            if repository in self._prepared:
                return
            for level in levels(parse_repository_path(repository)):
                self._directories.make(level)
                with self._directories.open(level) as directory:
                    if not directory.has(BLOBS):
                        self._atomic.write_symbolic_link(directory, BLOBS, f"{os.pardir}/{BLOBS}")
            self._directories.check(f"{repository}/{BLOBS}")
            self._prepared.add(repository)
