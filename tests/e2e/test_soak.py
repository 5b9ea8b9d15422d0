"""Tests that repeated requests of all kinds leave nothing in the daemon's process.

Each load is run until caches are filled, and then ``MINREG_SOAK_REQUESTS`` times more:
5,000 times in CI, otherwise 500 times. After that, the process has at most 200 bytes for each
of these requests more, and as many open files and delayed calls as before. A table of the
results is added to the file that ``MINREG_SOAK_REPORT`` names.

An allocator grows in steps, and a few small ones add up over a group of loads. A leak grows each
time. A group that grows by too much is therefore measured again, and fails only if it grows by
too much each time.
"""

import os
from concurrent.futures import ThreadPoolExecutor

from tests.e2e.soak.loads import OK, all_loads, always, write
from tests.e2e.soak.measure import LIMIT, Result, measure, write_report
from tests.e2e.soak.process import InspectedDaemon
from tests.e2e.soak.tree import PUBLISHED, write_tree
from tests.e2e.soak.wire import Refusals, WriteBatcher
from tests.e2e.support import EndToEndTestCase

REQUESTS = int(os.environ.get("MINREG_SOAK_REQUESTS", "5000" if "CI" in os.environ else "500"))
ATTEMPTS = 4
"""How often a group is measured before its growth counts as a leak."""

REQUESTS_BETWEEN_ATTEMPTS = 1 << 32
"""What the number of a request grows by with each attempt, so that new names are new again."""


class SoakTests(EndToEndTestCase):
    """Tests for a process that has answered many requests."""

    def setUp(self) -> None:
        """Write the tree, and start a daemon that has received no request yet."""
        directory = self.make_directory()
        root = os.path.join(directory, "root")
        self.digests = write_tree(root)
        self.daemon = InspectedDaemon(root, directory)
        self.addCleanup(self.daemon.stop)
        self.daemon.wait_until_ready()

    def soak(self, group: str) -> None:
        """Measure all loads of a group, and check their total."""
        for attempt in range(ATTEMPTS):
            results = self.measure_group(group, attempt * REQUESTS_BETWEEN_ATTEMPTS)
            table = write_report(group, results)
            wrong = [result.row() for result in results if not result.is_right]
            self.assertEqual(wrong, [], table)
            growth = sum(max(0, result.growth) for result in results)
            limit = LIMIT * REQUESTS * len(results)
            if growth < limit:
                return
        self.fail(f"{growth} bytes, not less than {limit}, in {ATTEMPTS} attempts: {table}")

    def measure_group(self, group: str, first: int) -> list[Result]:
        """Run all loads of a group, and return the result of each."""
        results = []
        for load in all_loads(self.digests)[group]:
            results.append(measure(self.daemon, load, REQUESTS, first))
            self.daemon.check_log()
        return results

    def test_registry(self) -> None:
        """Requests of clients of a registry leave nothing in the process."""
        self.soak("registry")

    def test_refusals(self) -> None:
        """Requests that are refused leave nothing in the process."""
        self.soak("refusals")

    def test_raw(self) -> None:
        """Input that is not a request leaves nothing in the process."""
        self.soak("raw")

    def test_departures(self) -> None:
        """Clients that disconnect in any state of a connection leave nothing in the process."""
        self.soak("departures")

    def test_departures_beside_others(self) -> None:
        """Clients that disconnect during a blob do not affect other connections."""
        large = write(f"/v2/{PUBLISHED}/blobs/{self.digests.large}")
        leaving = WriteBatcher(always(large * 2), reads=5000)
        staying = Refusals(always(write("/v2/", fields={"Connection": "close"})), OK)
        with ThreadPoolExecutor() as threads:
            done = [
                threads.submit(runner.run, self.daemon.port, REQUESTS, 0)
                for runner in (leaving, staying, leaving, staying)
            ]
        for each in done:
            each.result()

    def test_status(self) -> None:
        """Requests of probes and operators leave nothing in the process."""
        self.soak("status")

    def test_pages(self) -> None:
        """Requests of browsers leave nothing in the process."""
        self.soak("pages")

    def test_ever_new(self) -> None:
        """Caches do not exceed their limits."""
        self.soak("ever new")
