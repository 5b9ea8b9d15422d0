"""Caches of what was read from files, and how they notice that a file has changed.

Most of a registry's requests ask for the same few files. Reading and parsing them each time is
slow, and a stale answer is worse than a slow one: the tree may be changed by ``rsync``, ``tar``
or a new mount at any time. So nothing is trusted for a time to live. Instead, each cached value
is kept together with the fingerprint of every file and directory that it was computed from, and
all of these are checked with ``stat`` each time the value is used.
"""

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from threading import Lock
from typing import Generic, TypeVar

import attrs
from twisted.internet.interfaces import IReactorTime

from minreg.oci.manifests import Manifest, ManifestInvalid, looks_like_manifest, parse_manifest
from minreg.oci.names import Digest
from minreg.store.interfaces import ContentInvalid, StoreUnavailable
from minreg.store.rooted import OpenedFile

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

Fingerprint = tuple[int, ...]

_SETTLED_NS = 1_000_000_000


def fingerprint(status: os.stat_result) -> Fingerprint:
    """Return what changes whenever a file's content does.

    The time of modification alone does not: ``tar`` and ``rsync`` set it. The time of the last
    status change (ctime) cannot be set by a program, and a replaced file has another inode.
    """
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def is_settled(status: os.stat_result, now: int) -> bool:
    """Return whether a file's last change is long enough ago for its fingerprint to be trusted.

    File systems count time in ticks of up to a second (ext3) or some milliseconds: two changes
    within one tick leave the same fingerprint. A time in the future is from before the clock
    was set, and not a recent change.

    Args:
        status: The status of the file or directory before it was read.
        now: The time before it was read, in nanoseconds since the epoch.
    """
    return abs(now - status.st_ctime_ns) > _SETTLED_NS


class LeastRecentlyUsedCache(Generic[Key, Value]):
    """A thread-safe cache of limited size that drops the least recently used values.

    Args:
        capacity: The total cost of the values that are kept.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._cost = 0
        self._entries: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key) -> Value | None:
        """Return the value of ``key``, or None if it is not cached."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def put(self, key: Key, value: Value, cost: int = 1) -> None:
        """Cache a value, and drop others if the capacity is exceeded.

        A value that alone costs more than the capacity is not cached.
        """
        with self._lock:
            self._cost -= self._entries.pop(key, (None, 0))[1]
            if cost > self._capacity:
                return
            self._cost += cost
            self._entries[key] = (value, cost)
            while self._cost > self._capacity:
                _, (_, dropped) = self._entries.popitem(last=False)
                self._cost -= dropped


LARGEST_MANIFEST = 8 * 1024 * 1024
"""Bytes of a manifest that are read. Clients refuse manifests of more than about 4 MiB."""

_LARGEST_MANIFEST_IN_BLOBS = 4 * 1024 * 1024
_CACHED_BYTES = 8 * 1024 * 1024
_CACHED_BLOB_CHECKS = 4096


@attrs.frozen
class ParsedManifest:
    """A manifest or index as it was read from a file.

    Attributes:
        digest: The digest of the file's bytes.
        size: Their number.
        manifest: What they say.
    """

    digest: Digest
    size: int
    manifest: Manifest


class ManifestCache:
    """Reads manifest files, and caches the parsed manifests until the files change.

    Args:
        capacity: The total size of the manifests that are cached, in bytes.
        now: Returns the time, in nanoseconds since the epoch.
    """

    def __init__(
        self, capacity: int = _CACHED_BYTES, now: Callable[[], int] = time.time_ns
    ) -> None:
        self._manifests: LeastRecentlyUsedCache[tuple[object, ...], ParsedManifest] = (
            LeastRecentlyUsedCache(capacity)
        )
        self._blob_checks: LeastRecentlyUsedCache[Fingerprint, bool] = LeastRecentlyUsedCache(
            _CACHED_BLOB_CHECKS
        )
        self._now = now

    def read(self, opened: OpenedFile, digest: Digest | None) -> ParsedManifest:
        """Read a manifest, and check its digest.

        Args:
            opened: The file. Its position is at the beginning, before and after.
            digest: The digest that the file is named after, if it is.

        Raises:
            ContentInvalid: It is not a manifest, or its digest is another one.
            StoreUnavailable: The disk returns an error.
        """
        algorithm = digest.algorithm if digest is not None else "sha256"
        key = (*fingerprint(opened.status), algorithm)
        parsed = self._manifests.get(key)
        if parsed is None:
            settled = is_settled(opened.status, self._now())
            parsed = _read_manifest(opened, algorithm)
            if settled:
                self._manifests.put(key, parsed, parsed.size)
        if digest is not None and parsed.digest != digest:
            raise ContentInvalid(
                f"{opened.path} does not hold what its name says, but {parsed.digest}: "
                "copy it again"
            )
        return parsed

    def is_manifest(self, opened: OpenedFile) -> bool:
        """Return whether a file in ``blobs`` is in fact a manifest.

        Args:
            opened: The file. Its position is at the beginning, before and after.

        Raises:
            StoreUnavailable: The disk returns an error.
        """
        if opened.status.st_size > _LARGEST_MANIFEST_IN_BLOBS:
            return False
        key = fingerprint(opened.status)
        result = self._blob_checks.get(key)
        if result is None:
            settled = is_settled(opened.status, self._now())
            result = _starts_like_object(opened) and looks_like_manifest(_read(opened))
            if settled:
                self._blob_checks.put(key, result)
        return result


def _read_manifest(opened: OpenedFile, algorithm: str) -> ParsedManifest:
    if opened.status.st_size > LARGEST_MANIFEST:
        raise ContentInvalid(f"{opened.path} is too large to be a manifest: remove it")
    content = _read(opened)
    try:
        manifest = parse_manifest(content)
    except ManifestInvalid as error:
        raise ContentInvalid(f"{opened.path} is not a manifest: {error}; remove it") from None
    return ParsedManifest(Digest.of(content, algorithm), len(content), manifest)


def _starts_like_object(opened: OpenedFile) -> bool:
    return _read(opened, 64).lstrip().startswith(b"{")


def _read(opened: OpenedFile, size: int = -1) -> bytes:
    try:
        content = opened.file.read(size)
        opened.file.seek(0)
    except OSError as error:
        raise StoreUnavailable(f"{opened.path}: {error.strerror}") from None
    return content


_MOST_PATHS = 8
"""With more paths to check, using a cached value costs as much as computing it."""


@attrs.frozen
class Dependencies:
    """The files and directories that a value from the store depends on.

    Attributes:
        _root: The directory that all paths are relative to.
        _started: The time before the first of them was read, in nanoseconds since the epoch.
        _absent: Paths at which nothing existed: the lookup tried them first.
    """

    _root: str
    _started: int
    _absent: tuple[str, ...] = ()

    def make_validator(
        self,
        directory: str,
        statuses: Mapping[str, os.stat_result],
        fingerprints: Mapping[str, Fingerprint | None] | None,
    ) -> Callable[[], bool] | None:
        """Return a function that returns whether none of the files has changed.

        Args:
            directory: The directory, below the root, that the following paths are relative to.
            statuses: Paths with their status when they were read.
            fingerprints: More paths with their fingerprint, None where nothing existed; None
                instead of a mapping if these fingerprints are not settled.

        Returns:
            The function; None if a file changed so recently that another change could leave
            the same fingerprint, or if there are too many paths to check.
        """
        if fingerprints is None:
            return None
        if not all(is_settled(status, self._started) for status in statuses.values()):
            return None
        expected = {
            **fingerprints,
            **{path: fingerprint(status) for path, status in statuses.items()},
        }
        if len(expected) + len(self._absent) > _MOST_PATHS:
            return None
        base = os.path.join(self._root, directory)
        checks: list[tuple[str, Fingerprint | None]]
        checks = [(os.path.join(self._root, path), None) for path in self._absent]
        checks += [(os.path.join(base, path), state) for path, state in expected.items()]
        return partial(_are_unchanged, tuple(checks))


def _are_unchanged(checks: tuple[tuple[str, Fingerprint | None], ...]) -> bool:
    for path, expected in checks:
        try:
            status = os.stat(path)
        except OSError:
            if expected is not None:
                return False
        else:
            if expected is None or expected != fingerprint(status):
                return False
    return True


MOST_UNUSED = 10.0
"""Seconds after its last use for which a value is still returned. The validators run in the
reactor's thread, where ``stat`` must not wait for the disk. The kernel answers from memory for
paths that were looked up a few seconds ago; later they may have been evicted."""


@attrs.define
class _CacheEntry(Generic[Value]):
    value: Value
    is_current: Callable[[], bool]
    last_used: float


class ValidatedCache(Generic[Key, Value]):
    """A cache that returns a value only while it is current and in regular use.

    Args:
        clock: Measures the time since a value was used.
        capacity: The total size of the values that are kept, in bytes.
    """

    def __init__(self, clock: IReactorTime, capacity: int) -> None:
        self._clock = clock
        self._entries: LeastRecentlyUsedCache[Key, _CacheEntry[Value]] = LeastRecentlyUsedCache(
            capacity
        )

    def get(self, key: Key) -> Value | None:
        """Return the value of ``key``; None if it is not cached, not current or long unused."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        now = self._clock.seconds()
        if now - entry.last_used > MOST_UNUSED or not entry.is_current():
            return None
        entry.last_used = now
        return entry.value

    def put(self, key: Key, value: Value, is_current: Callable[[], bool], size: int) -> None:
        """Cache a value.

        Args:
            key: The key.
            value: The value.
            is_current: Returns whether the value still holds. It must not wait for a disk if
                it was called within the last ``MOST_UNUSED`` seconds.
            size: The size of the value, in bytes.
        """
        self._entries.put(key, _CacheEntry(value, is_current, self._clock.seconds()), size)
