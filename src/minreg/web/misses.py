"""What was asked for and is not there: a record that stays small, and useful, for ever.

What a node really needs is asked for again, by a container runtime that says which
registry it means. What somebody tries at random is not. So each name has a weight, the
number of times that it was asked for, and one more if a node asked; where there is no room
for a new name, the lightest goes, the one longest not asked for first. A flood of names
that are asked for once only ever pushes out its own kind.

A name that was pushed out is not all forgotten: a table of hashes of fixed size tells
whether it was seen before, so that it comes back heavier than those that are new. The
hash is Python's own, with a key of this process: nobody can make names that collide.
"""

from array import array
from collections import OrderedDict
from collections.abc import Callable

import attrs

MOST_ENTRIES = 512
MOST_BYTES = 256 * 1024
"""Bytes of the names and user agents that are kept."""

_LONGEST_USER_AGENT = 120
_HEAVIEST = 16
"""The weight from which on names are kept alike."""

_BUCKETS = 1024
_WAYS = 16
"""Hashes in each bucket of the table, the latest first: one new name must not push out
just the one that matters."""

_NODES = ("containerd/", "kubelet/", "cri-o/")


@attrs.frozen
class Wanted:
    """What was asked for.

    ``namespace`` is the registry that the client meant, empty if it did not say;
    ``reference`` is a tag or a digest; ``is_blob`` tells that it was asked for as a blob.
    """

    namespace: str
    repository: str
    reference: str
    is_blob: bool


@attrs.frozen
class Miss:
    """Something that was asked for in vain; times are in seconds since the epoch."""

    wanted: Wanted
    first: float
    last: float
    count: int
    user_agent: str
    is_of_a_node: bool

    @property
    def weight(self) -> int:
        """How much it is worth to be kept."""
        return min(self.count + self.is_of_a_node, _HEAVIEST)

    @property
    def bytes(self) -> int:
        """What it takes to keep its text, about."""
        wanted = self.wanted
        texts = (wanted.namespace, wanted.repository, wanted.reference)
        return sum(map(len, texts)) + 4 * len(self.user_agent)


class Misses:
    """The record.

    Args:
        now: Tells the time, in seconds since the epoch.
        most_entries: How many names are kept.
        most_bytes: How much text they may have together.
    """

    def __init__(
        self,
        now: Callable[[], float],
        most_entries: int = MOST_ENTRIES,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._now = now
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._by_weight: list[OrderedDict[Wanted, Miss]] = [
            OrderedDict() for _ in range(_HEAVIEST + 1)
        ]
        self._weights: dict[Wanted, int] = {}
        self._bytes = 0
        self._seen = array("q", bytes(8 * _BUCKETS * _WAYS))
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._weights)

    def add(self, wanted: Wanted, user_agent: str) -> None:
        """Record that something was asked for in vain."""
        if wanted.is_blob and attrs.evolve(wanted, is_blob=False) in self._weights:
            # containerd asks so for a manifest that it did not get by its digest.
            return
        now = self._now()
        is_of_a_node = bool(wanted.namespace) and user_agent.startswith(_NODES)
        known = self._take(wanted)
        if known is None:
            count = 2 if self._was_seen(wanted) else 1
            known = Miss(wanted, now, now, count - 1, "", is_of_a_node=False)
        self._put(
            attrs.evolve(
                known,
                last=now,
                count=known.count + 1,
                user_agent=user_agent[:_LONGEST_USER_AGENT],
                is_of_a_node=known.is_of_a_node or is_of_a_node,
            )
        )

    def list(self) -> list[Miss]:
        """List what is kept, the heaviest and then the latest first."""
        kept = [miss for same in self._by_weight for miss in same.values()]
        return sorted(kept, key=lambda miss: (-miss.weight, -miss.last, str(miss.wanted)))

    def _take(self, wanted: Wanted) -> Miss | None:
        weight = self._weights.pop(wanted, None)
        if weight is None:
            return None
        miss = self._by_weight[weight].pop(wanted)
        self._bytes -= miss.bytes
        return miss

    def _put(self, miss: Miss) -> None:
        while self._weights and (
            len(self) >= self._most_entries or self._bytes + miss.bytes > self._most_bytes
        ):
            self._drop_lightest()
        self._weights[miss.wanted] = miss.weight
        self._by_weight[miss.weight][miss.wanted] = miss
        self._bytes += miss.bytes

    def _drop_lightest(self) -> None:
        same = next(same for same in self._by_weight if same)
        wanted, miss = same.popitem(last=False)
        del self._weights[wanted]
        self._bytes -= miss.bytes
        self.dropped += 1

    def _was_seen(self, wanted: Wanted) -> bool:
        """Tell whether a name that is not kept was here before, and remember that it is now."""
        hashed = hash(wanted)
        start = hashed % _BUCKETS * _WAYS
        bucket = self._seen[start : start + _WAYS].tolist()
        was_seen = hashed in bucket
        if was_seen:
            bucket.remove(hashed)
        else:
            bucket.pop()
        self._seen[start : start + _WAYS] = array("q", (hashed, *bucket))
        return was_seen
