"""Finds the repositories of a tree, and knows what it could not look at.

What is not looked at may hold images, so whoever removes anything must know of it.
"""

import os
from collections import Counter
from collections.abc import Iterator

from minreg.fill.tree.layout import MANIFESTS, parse_place
from minreg.oci.names import NameInvalid
from minreg.store.interfaces import ContentInvalid
from minreg.store.rooted import RootedDirectory

_Identity = tuple[int, int]

MOST_NAMES = 64
"""How many names links may give to one directory. More are made to do harm, for among a
few directories with links to each other there are more names than time to list them."""


class Walk:
    """The walking through one tree, once.

    Args:
        files: The tree.
    """

    def __init__(self, files: RootedDirectory) -> None:
        self._files = files
        self._names: Counter[_Identity] = Counter()
        self.unread: list[str] = []
        """What could not be looked at, as one line each that says what to do."""

    def iterate_places(self) -> Iterator[str]:
        """Name the places of all repositories, those below a host's name too, in order.

        Links are followed, but not back to a directory that led to them.
        """
        yield from self._enter("", frozenset(), is_linked=False)

    def _enter(self, place: str, above: frozenset[_Identity], *, is_linked: bool) -> Iterator[str]:
        names: dict[str, bool] = {}
        try:
            with self._files.scan(place or ".") as (status, entries):
                identity = status.st_dev, status.st_ino
                if identity in above or (is_linked and self._has_too_many_names(place, identity)):
                    return
                for entry in entries:
                    if self._may_lead(f"{place}/{entry.name}".lstrip("/"), entry):
                        names[entry.name] = is_linked or entry.is_symlink()
        except FileNotFoundError:
            return
        except ContentInvalid as error:
            self.unread.append(str(error))
            return
        if place and self._is_directory(f"{place}/{MANIFESTS}"):
            yield place
        for name in sorted(names):
            below = f"{place}/{name}".lstrip("/")
            yield from self._enter(below, above | {identity}, is_linked=names[name])

    def _has_too_many_names(self, place: str, identity: _Identity) -> bool:
        self._names[identity] += 1
        if self._names[identity] == MOST_NAMES + 1:
            path = os.path.join(self._files.root, place)
            self.unread.append(f"{path} has more than {MOST_NAMES} names by links: remove some")
        return self._names[identity] > MOST_NAMES

    def _may_lead(self, place: str, entry: os.DirEntry[str]) -> bool:
        """Tell whether an entry is a directory that is, or leads to, a repository perhaps."""
        if not _could_lead(place):
            return False
        if entry.is_symlink():
            return self._is_directory(place)
        return entry.is_dir(follow_symlinks=False)

    def _is_directory(self, place: str) -> bool:
        try:
            return self._files.is_directory(place)
        except ContentInvalid as error:
            self.unread.append(str(error))
            return False


def _could_lead(path: str) -> bool:
    """Tell whether a directory can be a repository's, or lead to one."""
    try:
        # A host alone is no place, but "localhost:5000/x" below it is.
        parse_place(path if "/" in path else f"{path}/x")
    except NameInvalid:
        return False
    return True
