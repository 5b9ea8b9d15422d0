"""Finds repositories: all behind a name, or those that a search is for."""

from bisect import bisect_right
from collections.abc import Sequence

import attrs
from twisted.internet.interfaces import IReactorTime

from minreg.interfaces import IRegistryStore
from minreg.web.disk import Disk
from minreg.web.status.page.index import NameIndex, Names

_AT_A_TIME = 2000
"""Names that one page looks through where none are kept."""


@attrs.frozen
class Listed:
    """A part of the list: names, and the name after which the next part begins, if there is one.

    ``is_exhausted`` is False where the search ended for want of names, not of room.
    """

    names: Sequence[str]
    following: str
    is_exhausted: bool


class Listing:
    """Finds the names of a store's repositories.

    Args:
        store: Whose names.
        disk: Where they are looked at.
        clock: Measures how old they are.
    """

    def __init__(self, store: IRegistryStore, disk: Disk, clock: IReactorTime) -> None:
        self._store = store
        self._disk = disk
        self._index = NameIndex(store, disk, clock)

    async def list(self, after: str, size: int) -> Listed:
        """Find the first names behind ``after``, as they are at this moment.

        Args:
            after: The name behind which to begin; empty for the beginning.
            size: How many names to find at most.

        Raises:
            StoreUnavailable: The disk does not answer.
        """
        walk = await self._disk.run(self._store.iterate_repositories, after)
        return _cut(await self._disk.take(walk, size + 1), size)

    def make_ready(self) -> None:
        """Have names at hand: who looks at a list may search it next."""
        self._index.refresh()

    async def search(self, text: str, after: str, size: int) -> Listed:
        """Find the first names behind ``after`` that have all words of ``text`` in them.

        Args:
            text: Words, of which case does not matter.
            after: As for ``list``.
            size: As for ``list``.

        Raises:
            StoreUnavailable: The disk does not answer.
        """
        names = await self._index.recall()
        if not names.reach_behind(after):
            walk = await self._disk.run(self._store.iterate_repositories, after)
            few = await self._disk.take(walk, _AT_A_TIME)
            names = Names(names.begun, few, are_all=len(few) < _AT_A_TIME)
        return await self._disk.run(_search, names, text.lower().split(), after, size)


def cut_names(names: Sequence[str], after: str, size: int) -> Listed:
    """Take the first names behind ``after`` of names in order; see ``Listing.list``."""
    return _cut(names[bisect_right(names, after) :], size)


def _cut(names: Sequence[str], size: int) -> Listed:
    following = names[size - 1] if len(names) > size else ""
    return Listed(names[:size], following, is_exhausted=True)


def _search(names: Names, words: Sequence[str], after: str, size: int) -> Listed:
    known, are_all = list(names.known), names.are_all
    found = known[bisect_right(known, after) :]
    for word in words:
        found = [name for name in found if word in name]
    if len(found) > size or are_all:
        return _cut(found, size)
    return Listed(found, known[-1] if known else after, is_exhausted=False)
