"""Goes through a tree to name the repositories in it, in the order of their bytes.

Each directory is read once, and of the two that make a repository only the link count: a
directory that has no other in it has two (its name, and its own ``.``), on file systems that
count them. Every look costs as much again as it takes to get Python's lock back from those
who serve meanwhile.
"""

import os
from collections.abc import Iterator
from contextlib import suppress

import attrs

from minreg.oci.names import is_repository
from minreg.store.interfaces import ContentInvalid
from minreg.store.rooted import RootedDirectory, directory_status

_MANIFESTS = "manifests"
_PARTS = frozenset({_MANIFESTS, "blobs"})
_LINKS_OF_A_LEAF = 2


@attrs.frozen
class _Directory:
    """A directory: whether it is a repository, and what in it may lead to others."""

    is_repository: bool
    names: list[str]


def walk(files: RootedDirectory, after: str) -> Iterator[str]:
    """Name the repositories of a tree that sort behind a name.

    A repository ``a`` sorts before ``a-b``, and what lies below it, ``a/…``, behind: so
    each directory has two places, one for itself and one for its content.

    Args:
        files: The tree.
        after: The name.
    """
    return _walk(files, after, "", _read(files, ""))


def _walk(files: RootedDirectory, after: str, above: str, directory: _Directory) -> Iterator[str]:
    places = [f"{above}{name}" for name in directory.names]
    places += [f"{place}/" for place in places]
    read: dict[str, _Directory] = {}
    for place in sorted(places):
        if place.endswith("/"):
            if place > after or after.startswith(place):
                below = read.pop(place, None) or _read(files, place)
                yield from _walk(files, after, place, below)
        elif place > after:
            found = read[f"{place}/"] = _read(files, f"{place}/")
            if found.is_repository:
                yield place


def _read(files: RootedDirectory, path: str) -> _Directory:
    """Read a directory, whose path is empty or ends with a slash.

    Why it cannot be read, whoever asks for what is in it is told.
    """
    names = []
    is_repository_here: bool | None = None
    with suppress(FileNotFoundError, ContentInvalid):
        with files.scan(path or ".") as (_, entries):
            is_repository_here = False
            for entry in entries:
                if entry.name == _MANIFESTS:
                    # What a link leads to is looked at below.
                    is_repository_here = None if entry.is_symlink() else entry.is_dir()
                if _may_lead_on(files, path, entry):
                    names.append(entry.name)
    if is_repository_here is None:
        is_repository_here = _has_manifests(files, path)
    return _Directory(is_repository_here, names)


def _has_manifests(files: RootedDirectory, path: str) -> bool:
    with suppress(ContentInvalid):
        return files.is_directory(f"{path}{_MANIFESTS}")
    return False


def _may_lead_on(files: RootedDirectory, path: str, entry: os.DirEntry[str]) -> bool:
    """Tell whether there may be repositories in an entry of a directory."""
    # Of the many entries, most are plain files: what costs least comes first.
    if entry.is_symlink():
        return is_repository(path + entry.name) and _leads_on(files, path, entry)
    if not entry.is_dir(follow_symlinks=False) or (entry.name in _PARTS and _is_leaf(entry)):
        return False
    return is_repository(path + entry.name)


def _is_leaf(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.stat(follow_symlinks=False).st_nlink == _LINKS_OF_A_LEAF
    except OSError:
        return True


def _leads_on(files: RootedDirectory, path: str, link: os.DirEntry[str]) -> bool:
    """Tell whether a link leads to a directory, and not back to one that led here.

    Tags are links as often as not, and each repository's ``blobs`` is a link to the same
    large directory: neither kind leads to repositories, and none is looked at.
    """
    if link.name in _PARTS or os.path.basename(path.rstrip("/")) in _PARTS:
        return False
    seen = directory_status(link)
    parts = path.split("/")[:-1]
    above = ["/".join(parts[:depth]) for depth in range(len(parts) + 1)]
    return seen is not None and not any(
        led is not None and os.path.samestat(led, seen) for led in map(files.look, above)
    )
