"""How often things were seen: a memory of fixed size for more than can be kept."""

from array import array
from collections.abc import Hashable

_BUCKETS = 4096
_WAYS = 16
"""Places in each bucket: 65,536 in all, in a bit more than a megabyte."""

_MOST_TIMES = 65535


class Seen:
    """Remembers on how many occasions something was seen, and when last, by its hash.

    The hash is Python's own, with a key of this process: nobody can make things that
    collide. What was seen least often, and of that what was seen longest ago, gives way: no
    number of things that are seen once makes it forget one that was seen twice.
    """

    def __init__(self) -> None:
        self._hashes: array[int] = array("q")
        self._occasions: array[int] = array("H")
        self._times: array[float] = array("d")

    def keep(self, thing: Hashable, occasions: int, last: float) -> None:
        """Remember something.

        Args:
            thing: What.
            occasions: On how many occasions it was seen.
            last: When it was seen last, in seconds.
        """
        if not self._hashes:
            # Where nothing has to be forgotten, this takes no memory.
            self._hashes = array("q", bytes(8 * _BUCKETS * _WAYS))
            self._occasions = array("H", bytes(2 * _BUCKETS * _WAYS))
            self._times = array("d", bytes(8 * _BUCKETS * _WAYS))
        hashed = hash(thing)
        place = self._find(hashed)
        if place is None:
            place = min(
                self._bucket(hashed), key=lambda way: (self._occasions[way], self._times[way])
            )
        self._hashes[place] = hashed
        self._occasions[place] = min(occasions, _MOST_TIMES)
        self._times[place] = last

    def recall(self, thing: Hashable) -> tuple[int, float] | None:
        """Tell on how many occasions something was seen, and when last, if that is known."""
        place = self._find(hash(thing))
        return None if place is None else (self._occasions[place], self._times[place])

    def _find(self, hashed: int) -> int | None:
        if self._hashes:
            for place in self._bucket(hashed):
                if self._hashes[place] == hashed and self._occasions[place]:
                    return place
        return None

    def _bucket(self, hashed: int) -> range:
        start = hashed % _BUCKETS * _WAYS
        return range(start, start + _WAYS)
