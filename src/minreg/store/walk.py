"""Listing the repositories of a tree, in the order of their names' bytes.

Each directory is read once. ``manifests`` and ``blobs`` may hold ten thousands of files and
never hold a repository, except in a repository of that name. So they are not read if their link
count shows that they have no subdirectory: it is two (the directory's name, and its own ``.``)
on file systems that count subdirectories as links. Every system call saved counts twice here,
because the walk runs in a thread, which has to get Python's lock back after each of them.
"""

import os
from collections.abc import Iterator
from contextlib import suppress

import attrs

from minreg.oci.names import is_repository
from minreg.store.interfaces import ContentInvalid
from minreg.store.rooted import RootedDirectory, directory_status

_MANIFESTS = "manifests"
_REPOSITORY_PARTS = frozenset({_MANIFESTS, "blobs"})
_LINKS_OF_A_LEAF = 2


@attrs.frozen
class _Directory:
    """A directory: whether it is a repository, and its entries that may contain others."""

    is_repository: bool
    names: list[str]


def walk(files: RootedDirectory, after: str) -> Iterator[str]:
    """Yield the repositories of a tree whose names sort after a given one.

    The name ``a`` sorts before ``a-b``, and ``a/b`` after it. So each directory is sorted in
    twice: as ``a`` for itself, and as ``a/`` for its content.

    Args:
        files: The tree.
        after: The name.
    """
    return _walk(files, after, "", _read(files, ""))


def _walk(files: RootedDirectory, after: str, prefix: str, directory: _Directory) -> Iterator[str]:
    paths = [f"{prefix}{name}" for name in directory.names]
    paths += [f"{path}/" for path in paths]
    directories: dict[str, _Directory] = {}
    for path in sorted(paths):
        if path.endswith("/"):
            if path > after or after.startswith(path):
                below = directories.pop(path, None) or _read(files, path)
                yield from _walk(files, after, path, below)
        elif path > after:
            below = directories[f"{path}/"] = _read(files, f"{path}/")
            if below.is_repository:
                yield path


def _read(files: RootedDirectory, path: str) -> _Directory:
    """Read a directory. Its path is empty or ends with a slash.

    One that cannot be read counts as empty. A client that requests a repository in it gets the
    reason.
    """
    names = []
    has_manifests: bool | None = None
    with suppress(FileNotFoundError, ContentInvalid):
        with files.scan(path or ".") as (_, entries):
            has_manifests = False
            for entry in entries:
                if entry.name == _MANIFESTS:
                    # The target of a link is checked below.
                    has_manifests = None if entry.is_symlink() else entry.is_dir()
                if _may_contain_repositories(files, path, entry):
                    names.append(entry.name)
    if has_manifests is None:
        has_manifests = _is_repository(files, path)
    return _Directory(has_manifests, names)


def _is_repository(files: RootedDirectory, path: str) -> bool:
    with suppress(ContentInvalid):
        return files.is_directory(f"{path}{_MANIFESTS}")
    return False


def _may_contain_repositories(files: RootedDirectory, path: str, entry: os.DirEntry[str]) -> bool:
    """Return whether an entry of a directory may be, or contain, a repository."""
    # Most entries are plain files, so the cheapest checks come first.
    if entry.is_symlink():
        return is_repository(path + entry.name) and _is_followed(files, path, entry)
    if not entry.is_dir(follow_symlinks=False):
        return False
    if entry.name in _REPOSITORY_PARTS and _is_leaf(entry):
        return False
    return is_repository(path + entry.name)


def _is_leaf(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.stat(follow_symlinks=False).st_nlink == _LINKS_OF_A_LEAF
    except OSError:
        return True


def _is_followed(files: RootedDirectory, path: str, link: os.DirEntry[str]) -> bool:
    """Return whether a link points to a directory that does not contain the link itself.

    Tags are often links, and the ``blobs`` of each repository may be a link to one large
    directory. Neither leads to repositories, so these links are skipped without a system call.
    """
    if link.name in _REPOSITORY_PARTS or os.path.basename(path.rstrip("/")) in _REPOSITORY_PARTS:
        return False
    target = directory_status(link)
    parts = path.split("/")[:-1]
    parents = ["/".join(parts[:depth]) for depth in range(len(parts) + 1)]
    return target is not None and not any(
        status is not None and os.path.samestat(status, target)
        for status in map(files.stat, parents)
    )
