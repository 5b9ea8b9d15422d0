"""Tests for ``minreg.fill.upstream.retries``."""

from collections.abc import Iterator
from threading import Event

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import ContentMismatch, Stopped, UpstreamRefused, UpstreamUnavailable
from minreg.fill.upstream.retries import Retries


class RetriesTests(SynchronousTestCase):
    """Tests for ``Retries``."""

    def setUp(self) -> None:
        """Count waits instead of waiting."""
        self.waits: list[float] = []
        self.stop = Event()

    def run_failing(self, count: int, *failures: Exception) -> str:
        """Run what fails in these ways, one after the other, and then works."""
        coming: Iterator[Exception] = iter(failures)

        def attempt() -> str:
            for failure in coming:
                raise failure
            return "done"

        return Retries(count, self.stop, self.wait, lambda: 1.0).run(attempt)

    def wait(self, seconds: float) -> bool:
        """Note a wait."""
        self.waits.append(seconds)
        return self.stop.is_set()

    def test_waits_grow(self) -> None:
        """Each wait is twice the one before, up to half a minute."""
        failures = [UpstreamUnavailable("gone") for _ in range(7)]
        self.assertEqual(self.run_failing(7, *failures), "done")
        self.assertEqual(self.waits, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0])

    def test_wrong_bytes_are_tried_again(self) -> None:
        """Bytes that do not match may be right the next time."""
        self.assertEqual(self.run_failing(1, ContentMismatch("wrong")), "done")

    def test_gives_up(self) -> None:
        """After the last attempt its failure is what is told."""
        failures = [UpstreamUnavailable("first"), UpstreamUnavailable("second")]
        failure = self.assertRaises(UpstreamUnavailable, self.run_failing, 1, *failures)
        self.assertEqual(str(failure), "second")

    def test_refusal_is_final(self) -> None:
        """What was refused is not asked for again."""
        self.assertRaises(UpstreamRefused, self.run_failing, 5, UpstreamRefused("no"))
        self.assertEqual(self.waits, [])

    def test_progress(self) -> None:
        """What fails, and gets further each time, is tried as often as it takes."""
        reached = iter([1, 2, 3, 3])
        furthest = 0

        def attempt() -> None:
            nonlocal furthest
            furthest = next(reached)
            raise UpstreamUnavailable(f"broke off at {furthest}")

        retries = Retries(1, self.stop, self.wait, lambda: 1.0)
        failure = self.assertRaises(UpstreamUnavailable, retries.run, attempt, lambda: furthest)
        self.assertEqual(str(failure), "broke off at 3")
        self.assertEqual((list(reached), self.waits), ([], [1.0] * 3))

    def test_requested_wait(self) -> None:
        """An upstream that names a time is left alone for that long."""
        self.run_failing(1, UpstreamUnavailable("busy", 17))
        self.assertEqual(self.waits, [18.0])

    def test_requested_wait_too_long(self) -> None:
        """Nobody waits for hours."""
        failure = UpstreamUnavailable("limit", 21600)
        self.assertRaises(UpstreamUnavailable, self.run_failing, 5, failure)
        self.assertEqual(self.waits, [])

    def test_stopped(self) -> None:
        """When all work is to end, nothing is tried any more."""
        self.stop.set()
        self.assertRaises(Stopped, self.run_failing, 5)

    def test_stopped_while_waiting(self) -> None:
        """Waiting ends when all work does."""
        retries = Retries(1, self.stop, lambda _: True)

        def attempt() -> None:
            raise UpstreamUnavailable("gone")

        self.assertRaises(Stopped, retries.run, attempt)

    def test_tells(self) -> None:
        """Each attempt after the first is told of before it is waited for."""
        told: list[tuple[int, int, str, float]] = []

        def tell(attempt: int, attempts: int, failure: Exception, seconds: float) -> None:
            told.append((attempt, attempts, str(failure), seconds))

        retries = Retries(2, self.stop, self.wait, lambda: 1.0, tell)
        self.assertEqual(retries.attempts, 3)

        def attempt() -> str:
            raise UpstreamUnavailable("gone")

        self.assertRaises(UpstreamUnavailable, retries.run, attempt)
        self.assertEqual(told, [(2, 3, "gone", 1.0), (3, 3, "gone", 2.0)])
