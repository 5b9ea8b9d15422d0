"""How often things were seen: a memory of fixed size for more than can be kept."""

import ipaddress
from array import array
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from functools import lru_cache

import attrs

from minreg.log import RequestRecord
from minreg.oci.names import (
    Digest,
    DigestInvalid,
    NameInvalid,
    is_host,
    parse_host,
    parse_reference,
    parse_repository,
)
from minreg.store.lookup import upstream_of
from minreg.web.status.request_metrics import endpoint_of, split_path

_BUCKETS = 4096
_WAYS = 16
"""Places in each bucket: 65,536 in all, in a bit more than a megabyte."""

_MOST_TIMES = 65535


class AttemptCounter:
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


MOST_ENTRIES = 512
MOST_BYTES = 256 * 1024
"""Bytes of the names and user agents that are kept."""

AGAIN = 8.0
"""Seconds after which asking again is another occasion. The kubelet waits ten before it tries
to pull an image again (``imageBackOffPeriod`` in kubernetes/pkg/kubelet/kubelet.go)."""

_LONGEST_USER_AGENT = 120
_NODES = ("containerd/", "kubelet/", "cri-o/")


@attrs.frozen
class NotFoundContent:
    """What was asked for.

    ``namespace`` is the registry that the client meant, empty if it did not say;
    ``reference`` is a tag or a digest; ``is_blob`` tells that it was asked for as a blob.
    """

    namespace: str
    repository: str
    reference: str
    is_blob: bool


@attrs.frozen
class NotFoundEntry:
    """Something that was asked for in vain.

    ``client`` is who asked first. Times are in seconds since the epoch; ``counted`` is
    that of the last occasion. ``weight`` is how much it is worth to be kept.
    """

    wanted: NotFoundContent
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

    def again(self, client: str, now: float) -> "NotFoundEntry":
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


class NotFoundLog:
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
        self._kept: dict[NotFoundContent, NotFoundEntry] = {}
        self._sizes: Counter[str] = Counter()
        self._seen = AttemptCounter()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, wanted: NotFoundContent, user_agent: str, address: str) -> None:
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
        miss = (
            NotFoundEntry(wanted, client, now, now, now)
            if known is None
            else known.again(client, now)
        )
        is_of_a_node = bool(wanted.namespace) and user_agent.startswith(_NODES)
        self._put(
            attrs.evolve(
                miss,
                user_agent=user_agent[:_LONGEST_USER_AGENT],
                is_of_a_node=miss.is_of_a_node or is_of_a_node,
            )
        )

    def list(self) -> list[NotFoundEntry]:
        """List what is kept: the heaviest first, then what was asked for most, then the latest."""
        return sorted(
            self._kept.values(),
            key=lambda miss: (-miss.weight, -miss.count, -miss.last, str(miss.wanted)),
        )

    def _recall(self, wanted: NotFoundContent, client: str) -> NotFoundEntry | None:
        seen = self._seen.recall(wanted)
        if seen is None:
            return None
        occasions, counted = seen
        return NotFoundEntry(wanted, client, counted, counted, counted, occasions, occasions)

    def _put(self, miss: NotFoundEntry) -> None:
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

    def _find_victim(self, but: NotFoundEntry | None) -> NotFoundEntry | None:
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

    def _drop(self, miss: NotFoundEntry) -> None:
        del self._kept[miss.wanted]
        self._sizes[miss.client] -= self._size(miss)
        if not self._sizes[miss.client]:
            del self._sizes[miss.client]
        self._seen.keep(miss.wanted, miss.occasions, miss.counted)
        self.dropped += 1

    def _size(self, miss: NotFoundEntry) -> int:
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


_LOOKED_UP = frozenset({"manifests", "blobs"})


def parse_not_found(record: RequestRecord) -> NotFoundContent | None:
    """Return the manifest or blob that a request did not find; None if it names none."""
    endpoint = endpoint_of(record.path)
    if record.status != 404 or endpoint not in _LOOKED_UP:
        return None
    _, *name, _, text = split_path(record.path)
    namespace = record.ns
    try:
        return NotFoundContent(
            parse_host(namespace) if namespace else "",
            parse_repository("/".join(name)),
            str(parse_reference(text)),
            is_blob=endpoint == "blobs",
        )
    except (NameInvalid, DigestInvalid):
        return None


def make_not_found_observer(log: NotFoundLog) -> Callable[[RequestRecord, int], None]:
    """Return a ``RequestObserver`` that records what was not found."""

    def observe(record: RequestRecord, times: int) -> None:
        if record.status != 404:
            return
        content = parse_not_found(record)
        if content is not None:
            for _ in range(times):
                log.add(content, record.user_agent, record.client)

    return observe


def names_registry(wanted: NotFoundContent) -> bool:
    """Tell whether the client said which registry it means, in whatever way."""
    first, _, rest = wanted.repository.partition("/")
    return bool(wanted.namespace) or (bool(rest) and is_host(first))


def image_of(wanted: NotFoundContent, aliases: Mapping[str, str]) -> str:
    """Name what was wanted as ``docker pull`` and ``minreg download`` take it.

    Empty for a blob, which cannot be pulled by itself, and where no registry is known.
    """
    host, repository = upstream_of(wanted.namespace or None, wanted.repository, aliases)
    if wanted.is_blob or not is_host(host):
        return ""
    return f"{host}/{join_reference(repository, wanted.reference)}"


def join_reference(repository: str, reference: str | Digest) -> str:
    """Write a repository's name and a tag or digest as one."""
    text = str(reference)
    return f"{repository}{'@' if ':' in text else ':'}{text}"
