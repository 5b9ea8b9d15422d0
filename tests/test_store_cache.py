"""Tests for ``minreg.store.cache``."""

import os
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from minreg.store.cache import LeastRecentlyUsedCache, fingerprint, is_settled

SECOND = 1_000_000_000


class SignatureTests(SynchronousTestCase):
    """Tests for ``fingerprint`` and ``is_settled``."""

    def setUp(self) -> None:
        """Write a file."""
        self.path = self.mktemp()
        with open(self.path, "wb") as file:
            file.write(b"content")
        self.status = os.stat(self.path)

    def test_unchanged(self) -> None:
        """The fingerprint of a file does not change when the file is read."""
        with open(self.path, "rb") as file:
            file.read()
        self.assertEqual(fingerprint(os.stat(self.path)), fingerprint(self.status))

    def test_times_set_back(self) -> None:
        """Another file of the same size and time, as tar and rsync create, is noticed."""
        with open(f"{self.path}.new", "wb") as file:
            file.write(b"CONTENT")
        os.utime(f"{self.path}.new", ns=(self.status.st_atime_ns, self.status.st_mtime_ns))
        os.rename(f"{self.path}.new", self.path)
        self.assertNotEqual(fingerprint(os.stat(self.path)), fingerprint(self.status))

    def test_settled(self) -> None:
        """A fingerprint is trusted a second after the last change."""
        changed = self.status.st_ctime_ns
        self.assertFalse(is_settled(self.status, changed))
        self.assertFalse(is_settled(self.status, changed + SECOND))
        self.assertTrue(is_settled(self.status, changed + SECOND + 1))

    def test_clock_set_back(self) -> None:
        """A change in the future was made before the clock was set: it is not recent."""
        self.assertTrue(is_settled(self.status, self.status.st_ctime_ns - 2 * SECOND))


class RecentlyUsedTests(SynchronousTestCase):
    """Tests for ``LeastRecentlyUsedCache``."""

    def test_keep(self) -> None:
        """Values are returned, also those that are false."""
        kept: LeastRecentlyUsedCache[str, bool] = LeastRecentlyUsedCache(2)
        kept.put("a", value=False)
        self.assertEqual(kept.get("a"), False)
        self.assertIsNone(kept.get("b"))

    def test_least_recently_used(self) -> None:
        """The least recently used value is dropped."""
        kept: LeastRecentlyUsedCache[str, int] = LeastRecentlyUsedCache(2)
        kept.put("a", 1)
        kept.put("b", 2)
        kept.get("a")
        kept.put("c", 3)
        self.assertEqual([kept.get(key) for key in "abc"], [1, None, 3])

    def test_cost(self) -> None:
        """The total cost does not exceed the capacity."""
        kept: LeastRecentlyUsedCache[str, int] = LeastRecentlyUsedCache(10)
        kept.put("a", 1, 4)
        kept.put("b", 2, 4)
        kept.put("c", 3, 6)
        self.assertEqual([kept.get(key) for key in "abc"], [None, 2, 3])

    def test_replace(self) -> None:
        """A new value replaces the old one, and so does its cost."""
        kept: LeastRecentlyUsedCache[str, int] = LeastRecentlyUsedCache(10)
        for value in range(100):
            kept.put("a", value, 5)
        kept.put("b", 1, 5)
        self.assertEqual([kept.get(key) for key in "ab"], [99, 1])

    def test_too_large(self) -> None:
        """A value that exceeds the capacity is not cached, and no other is dropped."""
        kept: LeastRecentlyUsedCache[str, int] = LeastRecentlyUsedCache(10)
        kept.put("a", 1, 5)
        kept.put("b", 2, 11)
        self.assertEqual([kept.get(key) for key in "ab"], [1, None])
        kept.put("a", 3, 11)
        self.assertIsNone(kept.get("a"))
        kept.put("c", 4, 10)
        self.assertEqual(kept.get("c"), 4)

    def test_threads(self) -> None:
        """Several threads may use the cache at once, and the costs stay correct."""
        kept: LeastRecentlyUsedCache[int, int] = LeastRecentlyUsedCache(50)

        def work(seed: int) -> None:
            for at in range(2000):
                key = (at * seed) % 97
                kept.put(key, key, key % 7)
                kept.get(key + 1)

        threads = [Thread(target=work, args=(seed,)) for seed in (1, 3, 5, 7)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        left = [key for key in range(97) if kept.get(key) is not None]
        self.assertLessEqual(sum(key % 7 for key in left), 50)
        kept.put(1000, 1000, 50)
        self.assertEqual(kept.get(1000), 1000)
