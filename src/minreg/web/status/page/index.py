"""The names of all repositories, as they were not long ago: for searches.

To go through ten thousand directories takes a second. A page that is shown has them gone
through once more, so that the names are at hand when somebody searches.
"""

from math import inf

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from minreg.interfaces import IRegistryStore, StoreUnavailable
from minreg.web.disk import Disk

FRESH = 30.0
"""Seconds that names are left as they are."""

USABLE = 60.0
"""Seconds after which names are too old to be searched; younger ones serve meanwhile."""

MOST_NAMES = 50_000
"""Names that are kept: some 5 MB."""

_PATIENCE = 2.0
"""Seconds that a search waits for names before it makes do with those that are there."""

_AT_A_TIME = 1000


@attrs.define
class Names:
    """Names of repositories, in order: all, or the first ones if there are more."""

    begun: float
    known: list[str] = attrs.field(factory=list)
    are_all: bool = False

    def reach_behind(self, name: str) -> bool:
        """Tell whether they say anything of what sorts behind a name."""
        return self.are_all or (bool(self.known) and self.known[-1] > name)


class NameIndex:
    """Keeps the names of a store's repositories.

    Args:
        store: Whose names.
        disk: Where they are looked at.
        clock: Measures how old they are.
    """

    _log = Logger(namespace="minreg.store")

    def __init__(self, store: IRegistryStore, disk: Disk, clock: IReactorTime) -> None:
        self._store = store
        self._disk = disk
        self._clock = clock
        self._names: Names | None = None
        self._coming: Names | None = None
        self._waiting: list[Deferred[Names]] = []

    def refresh(self) -> None:
        """Have the names gone through, unless that was done lately, or is under way."""
        if self._coming is None and self._age() > FRESH:
            self._coming = Names(self._clock.seconds())
            walk = Deferred.fromCoroutine(self._go_through(self._coming))
            walk.addCallbacks(self._arrive, self._give_up)

    async def recall(self) -> Names:
        """Return the names; those that are known so far, if it takes long to get all.

        Raises:
            StoreUnavailable: The disk does not answer.
        """
        if self._names is not None and self._age() <= USABLE:
            self.refresh()
            return self._names
        names: Deferred[Names] = Deferred()
        self._waiting.append(names)
        self.refresh()
        return await names.addTimeout(_PATIENCE, self._clock, self._make_do)

    def _age(self) -> float:
        """How old the names are, in seconds."""
        return inf if self._names is None else self._clock.seconds() - self._names.begun

    async def _go_through(self, names: Names) -> Names:
        walk = await self._disk.run(self._store.iterate_repositories, "")
        while len(names.known) < MOST_NAMES:
            few = await self._disk.take(walk, _AT_A_TIME)
            names.known += few
            if len(few) < _AT_A_TIME:
                names.are_all = True
                break
        return names

    def _arrive(self, names: Names) -> None:
        self._names, self._coming = names, None
        for waiting in self._take_waiting():
            waiting.callback(names)

    def _give_up(self, failure: Failure) -> None:
        self._coming = None
        if not failure.check(StoreUnavailable):
            self._log.failure("cannot list the repositories", failure)
        for each in self._take_waiting():
            each.errback(StoreUnavailable(failure.getErrorMessage()))

    def _take_waiting(self) -> list[Deferred[Names]]:
        """Take those that still wait: neither too long, nor for a client that has left."""
        waiting, self._waiting = self._waiting, []
        return [each for each in waiting if not each.called]

    def _make_do(self, _result: object, _seconds: float) -> Names:
        return self._coming or Names(self._clock.seconds())
