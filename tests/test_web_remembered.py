"""Tests for ``minreg.store.cache``, and for small content that is remembered."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from minreg.store.cache import MOST_UNUSED, ValidatedCache
from tests.shortcuts import TAG, ShortcutTestCase
from tests.support import Response


class RememberedTests(SynchronousTestCase):
    """Tests for ``ValidatedCache``."""

    def setUp(self) -> None:
        """Keep one thing."""
        self.clock = Clock()
        self.is_current = True
        self.cache: ValidatedCache[str, int] = ValidatedCache(self.clock, 100)
        self.cache.put("one", 1, lambda: self.is_current, 40)

    def test_kept(self) -> None:
        """What is kept is found, and nothing else."""
        self.assertEqual((self.cache.get("one"), self.cache.get("two")), (1, None))

    def test_not_current(self) -> None:
        """What has changed is not found."""
        self.is_current = False
        self.assertIsNone(self.cache.get("one"))

    def test_fresh(self) -> None:
        """What is wanted time and again stays; what is not, one had better look up."""
        for _ in range(3):
            self.clock.advance(MOST_UNUSED)
            self.assertEqual(self.cache.get("one"), 1)
        self.clock.advance(MOST_UNUSED + 1)
        self.assertIsNone(self.cache.get("one"))

    def test_bounded(self) -> None:
        """What was wanted least lately makes room."""
        self.cache.put("two", 2, lambda: True, 40)
        self.cache.get("one")
        self.cache.put("three", 3, lambda: True, 40)
        found = [self.cache.get(key) for key in ("one", "two", "three")]
        self.assertEqual(found, [1, None, 3])


class SmallContentTests(ShortcutTestCase):
    """Tests for manifests and configs that are asked for in other words each time."""

    def test_namespace(self) -> None:
        """What is known of one registry's repository is not known of another's."""
        self.tree.add_image("quay.io/rancher/pause", "3.6", b"other")
        answers: dict[str, Response] = {}
        for _ in range(2):
            for namespace in ("docker.io", "quay.io"):
                answer = self.request(f"{TAG}?ns={namespace}", headers={"if-match": "x"})
                self.assertEqual(answers.setdefault(namespace, answer), answer)
        self.assertNotEqual(answers["docker.io"].body, answers["quay.io"].body)
        self.assertEqual(answers["quay.io"].header("oci-namespace"), "quay.io")
        self.assertIsNone(answers["docker.io"].header("oci-namespace"))
