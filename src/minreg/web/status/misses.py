"""What was asked for and is not there: a record that stays small, and useful, for ever.

What a node really needs is asked for again, some time later: the kubelet tries ten seconds
after it failed, and then for ever. What somebody tries at random is not, and comes from one
address. So each name has a weight: the number of *occasions* on which it was asked for, and of
equals that is heavier for which a container runtime asked that says which registry it means.
Where there is no room for a new name, another one goes:

- whoever has asked for more than half of all that is kept, gives of its own;
- of that, the names of least weight, and if nobody has more than half, of these names those
  of the client that has most of them;
- and of those the one in the middle, in the order in which they came: so the first ones
  stay as well as the latest.

The occasions of a name that has gone are remembered (``minreg.web.status.seen``), and if it comes
back, it has them again.
"""

import ipaddress
from collections import Counter
from collections.abc import Callable
from functools import lru_cache

import attrs

from minreg.web.status.seen import Seen

MOST_ENTRIES = 512
MOST_BYTES = 256 * 1024
"""Bytes of the names and user agents that are kept."""

AGAIN = 8.0
"""Seconds after which asking again is another occasion. The kubelet waits ten before it tries
to pull an image again (``imageBackOffPeriod`` in kubernetes/pkg/kubelet/kubelet.go)."""

_LONGEST_USER_AGENT = 120
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
    """Something that was asked for in vain.

    ``client`` is who asked first. Times are in seconds since the epoch; ``counted`` is
    that of the last occasion. ``weight`` is how much it is worth to be kept.
    """

    wanted: Wanted
    client: str
    first: float
    last: float
    counted: float
    count: int = 1
    occasions: int = 1
    user_agent: str = ""
    is_of_a_node: bool = False
    weight: int = attrs.field(init=False)

    @weight.default
    def _default_weight(self) -> int:
        return 2 * self.occasions + self.is_of_a_node

    @property
    def bytes(self) -> int:
        """What it takes to keep its text, about."""
        wanted = self.wanted
        texts = (wanted.namespace, wanted.repository, wanted.reference)
        return sum(map(len, texts)) + 4 * len(self.user_agent)

    def again(self, client: str, now: float) -> "Miss":
        """Count it once more: an occasion if it comes later, or is the first of another client."""
        is_by_another = self.occasions == 1 and client != self.client
        is_occasion = is_by_another or now - self.counted >= AGAIN
        return attrs.evolve(
            self,
            last=now,
            counted=now if is_occasion else self.counted,
            count=self.count + 1,
            occasions=self.occasions + is_occasion,
        )


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
        self._room = most_bytes
        self._least_size = most_bytes // most_entries
        self._kept: dict[Wanted, Miss] = {}
        self._sizes: Counter[str] = Counter()
        self._seen = Seen()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, wanted: Wanted, user_agent: str, address: str) -> None:
        """Record that something was asked for in vain.

        Args:
            wanted: What.
            user_agent: What the client calls itself.
            address: The client's IP address, or whatever else tells it from others.
        """
        if wanted.is_blob and attrs.evolve(wanted, is_blob=False) in self._kept:
            # containerd asks so for a manifest that it did not get by its digest.
            return
        now, client = self._now(), network_of(address)
        known = self._kept.get(wanted) or self._recall(wanted, client)
        miss = Miss(wanted, client, now, now, now) if known is None else known.again(client, now)
        is_of_a_node = bool(wanted.namespace) and user_agent.startswith(_NODES)
        self._put(
            attrs.evolve(
                miss,
                user_agent=user_agent[:_LONGEST_USER_AGENT],
                is_of_a_node=miss.is_of_a_node or is_of_a_node,
            )
        )

    def list(self) -> list[Miss]:
        """List what is kept: the heaviest first, then what was asked for most, then the latest."""
        return sorted(
            self._kept.values(),
            key=lambda miss: (-miss.weight, -miss.count, -miss.last, str(miss.wanted)),
        )

    def _recall(self, wanted: Wanted, client: str) -> Miss | None:
        seen = self._seen.recall(wanted)
        if seen is None:
            return None
        occasions, counted = seen
        return Miss(wanted, client, counted, counted, counted, occasions, occasions)

    def _put(self, miss: Miss) -> None:
        known = self._kept.get(miss.wanted)
        if known is not None:
            self._sizes[known.client] -= self._size(known)
        self._sizes[miss.client] += self._size(miss)
        while self._sizes.total() > self._room:
            victim = self._find_victim(known)
            if victim is None:
                break
            self._drop(victim)
        self._kept[miss.wanted] = miss

    def _find_victim(self, but: Miss | None) -> Miss | None:
        """Find what is to go next, as is said above."""
        left = [miss for miss in self._kept.values() if miss is not but]
        [(holder, size)] = self._sizes.most_common(1)
        if size * 2 > self._room:
            left = [miss for miss in left if miss.client == holder] or left
        least = min((miss.weight for miss in left), default=0)
        left = [miss for miss in left if miss.weight == least]
        if size * 2 <= self._room:
            for client, _ in Counter(miss.client for miss in left).most_common(1):
                left = [miss for miss in left if miss.client == client]
        return left[len(left) // 2] if left else None

    def _drop(self, miss: Miss) -> None:
        del self._kept[miss.wanted]
        self._sizes[miss.client] -= self._size(miss)
        if not self._sizes[miss.client]:
            del self._sizes[miss.client]
        self._seen.keep(miss.wanted, miss.occasions, miss.counted)
        self.dropped += 1

    def _size(self, miss: Miss) -> int:
        """What an entry takes of the room: at least so much that no more fit than may be kept."""
        return max(miss.bytes, self._least_size)


@lru_cache(maxsize=256)
def network_of(address: str) -> str:
    """Tell which addresses count as one client: those of one IPv6 network of 64 bits.

    A machine may take as many of them as it likes (RFC 8981).
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4 or found.ipv4_mapped is not None:
        return str(found)
    return str(ipaddress.ip_network((found, 64), strict=False))
