"""Tests for ``ValidatedCache``, and for cached manifests of different namespaces."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from minreg.store.cache import MOST_UNUSED, ValidatedCache
from tests.fastpath import TAG, FastPathTestCase
from tests.support import Response


class ValidatedCacheTests(SynchronousTestCase):
    """Tests for ``ValidatedCache``."""

    def setUp(self) -> None:
        """Cache one value."""
        self.clock = Clock()
        self.is_current = True
        self.cache: ValidatedCache[str, int] = ValidatedCache(self.clock, 100)
        self.cache.put("one", 1, lambda: self.is_current, 40)

    def test_kept(self) -> None:
        """A cached value is returned, and None for another key."""
        self.assertEqual((self.cache.get("one"), self.cache.get("two")), (1, None))

    def test_not_current(self) -> None:
        """A value that is not current is not returned."""
        self.is_current = False
        self.assertIsNone(self.cache.get("one"))

    def test_fresh(self) -> None:
        """A value is returned as long as it is used regularly."""
        for _ in range(3):
            self.clock.advance(MOST_UNUSED)
            self.assertEqual(self.cache.get("one"), 1)
        self.clock.advance(MOST_UNUSED + 1)
        self.assertIsNone(self.cache.get("one"))

    def test_bounded(self) -> None:
        """The least recently used value is dropped first."""
        self.cache.put("two", 2, lambda: True, 40)
        self.cache.get("one")
        self.cache.put("three", 3, lambda: True, 40)
        found = [self.cache.get(key) for key in ("one", "two", "three")]
        self.assertEqual(found, [1, None, 3])


class SmallContentTests(FastPathTestCase):
    """Tests for manifests that are requested with different namespaces."""

    def test_namespace(self) -> None:
        """The content of one registry is never the response for another."""
        self.tree.add_image("quay.io/rancher/pause", "3.6", b"other")
        answers: dict[str, Response] = {}
        for _ in range(2):
            for namespace in ("docker.io", "quay.io"):
                answer = self.request(f"{TAG}?ns={namespace}", headers={"if-match": "x"})
                self.assertEqual(answers.setdefault(namespace, answer), answer)
        self.assertNotEqual(answers["docker.io"].body, answers["quay.io"].body)
        self.assertEqual(answers["quay.io"].header("oci-namespace"), "quay.io")
        self.assertIsNone(answers["docker.io"].header("oci-namespace"))
