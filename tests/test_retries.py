"""Tests for ``minreg.fill.upstream.retries``."""

from collections.abc import Iterator
from threading import Event

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import ContentMismatch, Stopped, UpstreamRefused, UpstreamUnavailable
from minreg.fill.upstream.retries import Retries


class RetriesTests(SynchronousTestCase):
    """Tests for ``Retries``."""

    def setUp(self) -> None:
        """Record delays instead of waiting."""
        self.waits: list[float] = []
        self.stop = Event()

    def run_failing(self, count: int, *failures: Exception) -> str:
        """Run a function that fails in these ways, one after the other, and then succeeds."""
        coming: Iterator[Exception] = iter(failures)

        def attempt() -> str:
            for failure in coming:
                raise failure
            return "done"

        return Retries(count, self.stop, self.wait, lambda: 1.0).run(attempt)

    def wait(self, seconds: float) -> bool:
        """Record a delay."""
        self.waits.append(seconds)
        return self.stop.is_set()

    def test_waits_grow(self) -> None:
        """Each delay is twice the one before, up to 30 seconds."""
        failures = [UpstreamUnavailable("gone") for _ in range(7)]
        self.assertEqual(self.run_failing(7, *failures), "done")
        self.assertEqual(self.waits, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0])

    def test_wrong_bytes_are_tried_again(self) -> None:
        """A ContentMismatch is retried."""
        self.assertEqual(self.run_failing(1, ContentMismatch("wrong")), "done")

    def test_gives_up(self) -> None:
        """After the last attempt its error is raised."""
        failures = [UpstreamUnavailable("first"), UpstreamUnavailable("second")]
        failure = self.assertRaises(UpstreamUnavailable, self.run_failing, 1, *failures)
        self.assertEqual(str(failure), "second")

    def test_refusal_is_final(self) -> None:
        """UpstreamRefused is not retried."""
        self.assertRaises(UpstreamRefused, self.run_failing, 5, UpstreamRefused("no"))
        self.assertEqual(self.waits, [])

    def test_progress(self) -> None:
        """Attempts that make progress are retried without limit."""
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
        """The delay of Retry-After is used."""
        self.run_failing(1, UpstreamUnavailable("busy", 17))
        self.assertEqual(self.waits, [18.0])

    def test_requested_wait_too_long(self) -> None:
        """A Retry-After of hours is a failure."""
        failure = UpstreamUnavailable("limit", 21600)
        self.assertRaises(UpstreamUnavailable, self.run_failing, 5, failure)
        self.assertEqual(self.waits, [])

    def test_stopped(self) -> None:
        """When the work is stopped, nothing is attempted."""
        self.stop.set()
        self.assertRaises(Stopped, self.run_failing, 5)

    def test_stopped_while_waiting(self) -> None:
        """A delay ends when the work is stopped."""
        retries = Retries(1, self.stop, lambda _: True)

        def attempt() -> None:
            raise UpstreamUnavailable("gone")

        self.assertRaises(Stopped, retries.run, attempt)

    def test_notify(self) -> None:
        """``notify`` is called before each delay."""
        calls: list[tuple[int, int, str, float]] = []

        def notify(attempt: int, attempts: int, failure: Exception, seconds: float) -> None:
            calls.append((attempt, attempts, str(failure), seconds))

        retries = Retries(2, self.stop, self.wait, lambda: 1.0, notify)
        self.assertEqual(retries.attempts, 3)

        def attempt() -> str:
            raise UpstreamUnavailable("gone")

        self.assertRaises(UpstreamUnavailable, retries.run, attempt)
        self.assertEqual(calls, [(2, 3, "gone", 1.0), (3, 3, "gone", 2.0)])
