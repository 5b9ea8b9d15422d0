"""The not-found log: manifests and blobs that clients requested and that do not exist.

The log is a dictionary in the order of the last request. When it is full, the entry that was
requested least recently is removed. Anyone who can reach the registry can fill it with invented
names, so its size is limited, and the list for ``minreg download`` comments out names that were
requested only once and without a registry.
"""

from collections.abc import Callable, Mapping
from typing import Self

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
from minreg.store.tree import upstream_of
from minreg.web.status.request_metrics import endpoint_of, split_path

MOST_ENTRIES = 512

MOST_CHARACTERS = 256 * 1024
"""Characters of all names and user agents together."""

ATTEMPT_SECONDS = 8.0
"""Requests within this time are one attempt, in seconds. The kubelet waits ten seconds before it
pulls an image again (``imageBackOffPeriod`` in kubernetes/pkg/kubelet/kubelet.go)."""

_LONGEST_USER_AGENT = 120


@attrs.frozen
class NotFoundContent:
    """Content that was requested.

    Attributes:
        registry: The upstream registry that the client named (``ns``); empty if it named none.
        repository: The repository in the request's path.
        reference: The tag or digest.
        is_blob: Whether it was requested as a blob.
    """

    registry: str
    repository: str
    reference: str
    is_blob: bool


@attrs.frozen
class NotFoundEntry:
    """An entry of the not-found log. Times are in seconds since the epoch.

    Attributes:
        content: The content.
        user_agent: The user agent of the last request.
        client: The IP address of the first client, or ``unix``.
        first: The time of the first request.
        last: The time of the last request.
        attempted: The time when the last attempt began.
        count: The number of requests.
        attempts: The number of attempts to get the content.
    """

    content: NotFoundContent
    user_agent: str
    client: str
    first: float
    last: float
    attempted: float
    count: int = 1
    attempts: int = 1

    @property
    def characters(self) -> int:
        """The length of its text, in characters."""
        content = self.content
        texts = (content.registry, content.repository, content.reference, self.user_agent)
        return sum(map(len, texts))

    def with_request(self, user_agent: str, client: str, now: float, times: int) -> Self:
        """Return the entry after more requests for the same content.

        A client that pulls an image sends HEAD and then GET: these are one attempt. The first
        request from a second client is an attempt of its own.
        """
        is_second_client = self.attempts == 1 and client != self.client
        is_attempt = is_second_client or now - self.attempted >= ATTEMPT_SECONDS
        return attrs.evolve(
            self,
            user_agent=user_agent,
            last=now,
            attempted=now if is_attempt else self.attempted,
            count=self.count + times,
            attempts=self.attempts + is_attempt,
        )


class NotFoundLog:
    """A log of limited size that removes the least recently requested entry when it is full.

    Args:
        now: Returns the time in seconds since the epoch.
        most_entries: The largest number of entries.
        most_characters: The largest number of characters in all entries. A single entry is kept
            even if it is longer.

    Attributes:
        dropped: The number of entries that were removed.
    """

    def __init__(
        self,
        now: Callable[[], float],
        most_entries: int = MOST_ENTRIES,
        most_characters: int = MOST_CHARACTERS,
    ) -> None:
        self._now = now
        self._most_entries = most_entries
        self._most_characters = most_characters
        self._entries: dict[NotFoundContent, NotFoundEntry] = {}
        self._characters = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, content: NotFoundContent, user_agent: str, client: str, times: int = 1) -> None:
        """Add requests for content that does not exist.

        Args:
            content: The content.
            user_agent: The user agent; its first 120 characters are kept.
            client: The client's IP address, or ``unix``.
            times: The number of requests.
        """
        if content.is_blob and attrs.evolve(content, is_blob=False) in self._entries:
            # containerd requests a digest as a blob after it did not get it as a manifest.
            return
        now, user_agent = self._now(), user_agent[:_LONGEST_USER_AGENT]
        entry = self._entries.pop(content, None)
        if entry is None:
            entry = NotFoundEntry(content, user_agent, client, now, now, now, times)
        else:
            self._characters -= entry.characters
            entry = entry.with_request(user_agent, client, now, times)
        self._entries[content] = entry
        self._characters += entry.characters
        self._drop_oldest()

    def _drop_oldest(self) -> None:
        while len(self._entries) > 1 and (
            len(self._entries) > self._most_entries or self._characters > self._most_characters
        ):
            entry = self._entries.pop(next(iter(self._entries)))
            self._characters -= entry.characters
            self.dropped += 1

    def list(self) -> list[NotFoundEntry]:
        """Return the entries: those with the most attempts, then requests, first."""
        return sorted(
            self._entries.values(),
            key=lambda entry: (-entry.attempts, -entry.count, -entry.last, str(entry.content)),
        )


_ENDPOINTS = frozenset({"manifests", "blobs"})


def parse_not_found(record: RequestRecord) -> NotFoundContent | None:
    """Return the manifest or blob that a request did not find.

    Returns:
        None if the request names no content, or was answered with another status than 404.
    """
    if record.status != 404 or (endpoint := endpoint_of(record.path)) not in _ENDPOINTS:
        return None
    _, *name, _, text = split_path(record.path)
    try:
        return NotFoundContent(
            parse_host(record.ns) if record.ns else "",
            parse_repository("/".join(name)),
            str(parse_reference(text)),
            is_blob=endpoint == "blobs",
        )
    except (NameInvalid, DigestInvalid):
        return None


def make_not_found_observer(log: NotFoundLog) -> Callable[[RequestRecord, int], None]:
    """Return a ``RequestObserver`` that adds requests to a not-found log."""

    def observe(record: RequestRecord, times: int) -> None:
        content = parse_not_found(record)
        if content is not None:
            log.add(content, record.user_agent, record.client, times)

    return observe


def names_registry(content: NotFoundContent) -> bool:
    """Return whether the client named a registry: as ``ns``, or as the first part of the name."""
    first, _, rest = content.repository.partition("/")
    return bool(content.registry) or (bool(rest) and is_host(first))


def image_of(content: NotFoundContent, aliases: Mapping[str, str]) -> str:
    """Return the name under which ``minreg download`` can download content.

    Args:
        content: The content.
        aliases: Names of this registry, each with the upstream host that it stands for.

    Returns:
        An empty text for a blob, and if the upstream registry is unknown.
    """
    host, repository = upstream_of(content.registry or None, content.repository, aliases)
    if content.is_blob or not is_host(host):
        return ""
    return f"{host}/{join_reference(repository, content.reference)}"


def join_reference(repository: str, reference: str | Digest) -> str:
    """Return a repository's name joined with a tag (``:``) or a digest (``@``)."""
    text = str(reference)
    return f"{repository}{'@' if ':' in text else ':'}{text}"
