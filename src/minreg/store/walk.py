"""Walks through a tree, and yields the paths of its repositories in byte order.

Each directory is read once. Most directories of a tree are ``manifests`` and ``blobs``, which
contain thousands of files and rarely another repository; whether they contain a directory is
told by their link count: a directory without subdirectories has two links (its name, and its
own ``.``), on file systems that count them. Each system call saved counts twice here, because
a thread must wait for Python's lock after it while other threads serve requests.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

import attrs

from minreg.oci.names import is_repository as is_repository_name
from minreg.store.interfaces import ContentInvalid, ContentUnreadable
from minreg.store.rooted import RootedDirectory

_MANIFESTS = "manifests"
_CONTENT_NAMES = frozenset({_MANIFESTS, "blobs"})
_LINKS_WITHOUT_SUBDIRECTORIES = 2

_Identity = tuple[int, int]


@attrs.frozen
class _Directory:
    """A directory: whether it is a repository, and its subdirectories.

    ``subdirectories`` maps each name to whether a link leads there. ``ancestors`` are the
    device and inode numbers of this directory and those above it.
    """

    ancestors: frozenset[_Identity]
    subdirectories: Mapping[str, bool] = attrs.field(factory=dict)
    is_repository: bool = attrs.field(default=False, kw_only=True)


def walk(
    files: RootedDirectory,
    after: str = "",
    *,
    accept: Callable[[str], bool] = is_repository_name,
    report: Callable[[str], None] | None = None,
    max_names: int | None = None,
) -> Iterator[str]:
    """Yield the repositories of a tree whose paths sort after ``after``.

    A repository ``a`` sorts before ``a-b``, and ``a/b`` after both: so each directory is
    visited twice, once for itself and once, as ``a/``, for its content.

    Links are followed, but not back to a directory above them.

    Args:
        files: The tree.
        after: A path; the walk skips directories that sort before it.
        accept: Returns whether a path below the root may be a repository or lead to one.
        report: Called with one line for each directory that cannot be read. Without it they
            are skipped silently.
        max_names: The number of paths that links may give to one directory; more are reported
            and skipped. None for no limit.
    """
    walker = _Walker(files, after, accept, report or _ignore, max_names)
    return walker.walk("", walker.read("", frozenset(), is_linked=False))


def _ignore(_: str) -> None:
    """Ignore a report."""


@attrs.frozen
class _Walker:
    _files: RootedDirectory
    _after: str
    _accept: Callable[[str], bool]
    _report: Callable[[str], None]
    _max_names: int | None
    _names: Counter[_Identity] = attrs.field(factory=Counter)

    def walk(self, prefix: str, directory: _Directory) -> Iterator[str]:
        """Yield the repositories below a directory; ``prefix`` is its path, with a slash."""
        paths = [f"{prefix}{name}" for name in directory.subdirectories]
        paths += [f"{path}/" for path in paths]
        pending: dict[str, _Directory] = {}
        for path in sorted(paths):
            if path.endswith("/"):
                if path > self._after or self._after.startswith(path):
                    below = pending.pop(path, None) or self._read_below(path, directory)
                    yield from self.walk(path, below)
            elif path > self._after:
                pending[f"{path}/"] = below = self._read_below(f"{path}/", directory)
                if below.is_repository:
                    yield path

    def _read_below(self, path: str, parent: _Directory) -> _Directory:
        name = os.path.basename(path.rstrip("/"))
        return self.read(path, parent.ancestors, is_linked=parent.subdirectories[name])

    def read(self, path: str, ancestors: frozenset[_Identity], *, is_linked: bool) -> _Directory:
        """Read a directory.

        Args:
            path: Its path below the root, empty or with a slash at its end.
            ancestors: The directories above it.
            is_linked: Whether a link is part of the path.
        """
        subdirectories: dict[str, bool] = {}
        has_manifests: bool | None = None
        try:
            with self._files.scan(path.rstrip("/") or ".") as (status, entries):
                identity = status.st_dev, status.st_ino
                if identity in ancestors or (is_linked and self._is_over_limit(path, identity)):
                    return _Directory(ancestors)
                has_manifests = False
                for entry in entries:
                    if entry.name == _MANIFESTS:
                        # None: the target of a link is looked at below.
                        has_manifests = None if entry.is_symlink() else entry.is_dir()
                    if self._may_contain_repositories(path, entry):
                        subdirectories[entry.name] = is_linked or entry.is_symlink()
                ancestors |= {identity}
        except FileNotFoundError:
            return _Directory(ancestors)
        except ContentInvalid as error:
            self._report(str(error))
            return self._read_unlisted(path, ancestors, error)
        if has_manifests is None:
            has_manifests = self._is_directory(f"{path}{_MANIFESTS}")
        return _Directory(ancestors, subdirectories, is_repository=has_manifests)

    def _read_unlisted(
        self, path: str, ancestors: frozenset[_Identity], error: ContentInvalid
    ) -> _Directory:
        """Return a directory whose entries are not known.

        If this user may not list it (its mode is ``--x``), it can still be a repository that
        the registry serves.
        """
        if isinstance(error, ContentUnreadable):
            with suppress(ContentInvalid):
                is_repository = self._files.is_directory(f"{path}{_MANIFESTS}")
                return _Directory(ancestors, is_repository=is_repository)
        return _Directory(ancestors)

    def _is_over_limit(self, path: str, identity: _Identity) -> bool:
        """Return whether a directory has more paths than links may give to it.

        A few directories with links to each other have more paths than there is time for.
        """
        if self._max_names is None:
            return False
        self._names[identity] += 1
        if self._names[identity] == self._max_names + 1:
            whole_path = os.path.join(self._files.root, path.rstrip("/"))
            self._report(
                f"{whole_path} has more than {self._max_names} names by links: remove some"
            )
        return self._names[identity] > self._max_names

    def _may_contain_repositories(self, path: str, entry: os.DirEntry[str]) -> bool:
        # Most entries are plain files, so the cheapest test comes first.
        if entry.is_symlink():
            return self._may_lead_to_repositories(path, entry)
        if not entry.is_dir(follow_symlinks=False):
            return False
        if entry.name in _CONTENT_NAMES and _has_no_subdirectories(entry):
            return False
        return self._accept(path + entry.name)

    def _may_lead_to_repositories(self, path: str, link: os.DirEntry[str]) -> bool:
        """Return whether a link leads to a directory that is read.

        Tags are often links, and ``blobs`` of each repository is a link to the same large
        directory: neither leads to repositories, and no system call is made for them.
        """
        if link.name in _CONTENT_NAMES or os.path.basename(path.rstrip("/")) in _CONTENT_NAMES:
            return False
        return self._accept(path + link.name) and self._is_directory(path + link.name)

    def _is_directory(self, path: str) -> bool:
        try:
            return self._files.is_directory(path)
        except ContentInvalid as error:
            self._report(str(error))
            return False


def _has_no_subdirectories(entry: os.DirEntry[str]) -> bool:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return True
    return status.st_nlink == _LINKS_WITHOUT_SUBDIRECTORIES
