"""Lets clients do all that the soak tests know, mixed and at full rate, and watches memory.

``python -m benchmarks.soak --minutes 60`` prints a line a minute: what the daemon's process
holds after a garbage collection, while its clients go on. It ends with 0 where memory stayed
flat, every answer was right, no traceback was logged, and no file or delayed call is left.
"""

import argparse
import multiprocessing
import os
import random
import re
import sys
import tempfile
import time
from itertools import chain
from multiprocessing.synchronize import Event
from statistics import median
from typing import Any

from tests.e2e.soak.loads import FILLS_CACHES, Load, all_loads
from tests.e2e.soak.measure import settle
from tests.e2e.soak.process import InspectedDaemon, Inspection
from tests.e2e.soak.tree import write_tree
from tests.e2e.soak.wire import WrongAnswer

_TURN = 25
"""Requests of one load, before a client goes on to another one."""

_FLAT = 2_000_000
"""Bytes by which the last third of the run may need more memory than the one before."""

_MESSAGE = re.compile(rb"^(\S+) ((?!info 127\.0\.0\.1 )\w+ .*)$", re.MULTILINE)
"""A line of the log that is not about a request: its time, and what it says."""

_FIRST = 1 << 60
"""The number of the first request that fills caches: no client comes that far."""

_MOST_MESSAGES = 20
_SECONDS_BETWEEN_LINES = 60.0
_HEADING = (
    f"{'minute':>6} {'requests':>12} {'per second':>10} {'memory, MB':>10} {'resident':>9} "
    f"{'objects':>9} {'files':>6} {'delayed':>7} {'wrong':>6} {'503':>6}"
)


def main() -> None:
    """Run, and say what came of it."""
    parser = argparse.ArgumentParser(prog="benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="how long")
    parser.add_argument("--clients", type=int, default=2, help="how many processes ask")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="minreg-") as directory:
        root = os.path.join(directory, "root")
        loads = list(chain.from_iterable(all_loads(write_tree(root)).values()))
        daemon = InspectedDaemon(root, directory)
        try:
            daemon.wait_until_ready()
            problems = _run(daemon, loads, options.minutes * 60, options.clients)
        finally:
            daemon.stop()
    print("\n".join(problems) or "flat")
    sys.exit(1 if problems else 0)


def _run(daemon: InspectedDaemon, loads: list[Load], seconds: float, clients: int) -> list[str]:
    """Fill all caches, have the loads done, print the curve, and return what is wrong."""
    before = daemon.inspect()
    for load in loads:
        if load.warm_up == FILLS_CACHES:
            load.runner.run(daemon.port, load.warm_up, _FIRST)
    counts = [multiprocessing.Value("q", 0) for _ in range(clients)]
    wrong, busy = multiprocessing.Value("q", 0), multiprocessing.Value("q", 0)
    ends = multiprocessing.Event()
    processes = [
        multiprocessing.Process(
            target=_ask, args=(daemon.port, loads, number, (counts[number], wrong, busy), ends)
        )
        for number in range(clients)
    ]
    for process in processes:
        process.start()
    try:
        curve, problems = _watch(daemon, seconds, counts, (wrong, busy))
    finally:
        ends.set()
        for process in processes:
            process.join()
    after = settle(daemon, before)
    third = len(curve) // 3
    growth = median(curve[-third:]) - median(curve[third : 2 * third]) if third else 0
    print(f"second third to last third: {growth / 1e6:+.2f} MB")
    if growth > _FLAT:
        problems.append(f"memory grew by {growth / 1e6:.1f} MB")
    if wrong.value:
        problems.append(f"{wrong.value} answers were wrong")
    if after.files != before.files:
        problems.append(f"{after.files - before.files} files are left open")
    if len(after.delayed_calls) != len(before.delayed_calls):
        problems.append(f"delayed calls are left: {', '.join(after.delayed_calls)}")
    return problems


def _watch(
    daemon: InspectedDaemon, seconds: float, counts: list[Any], faults: tuple[Any, Any]
) -> tuple[list[int], list[str]]:
    """Print the curve; return the memory of each line, and what the log says that is wrong."""
    print(_HEADING)
    curve: list[int] = []
    problems: list[str] = []
    told: set[bytes] = set()
    begun = line = time.monotonic()
    answered = 0
    while line < begun + seconds:
        line += _SECONDS_BETWEEN_LINES
        time.sleep(max(0.0, line - time.monotonic()))
        now, total = daemon.inspect(), sum(count.value for count in counts)
        curve.append(now.memory)
        rate = (total - answered) / _SECONDS_BETWEEN_LINES
        print(_describe((line - begun) / 60, total, rate, now, faults), flush=True)
        answered = total
        try:
            content = daemon.check_log()
        except AssertionError as error:
            problems.append(str(error))
            continue
        new = {text for _, text in _MESSAGE.findall(content)} - told
        for text in sorted(new)[:_MOST_MESSAGES]:
            print(text.decode("utf-8", "replace"), flush=True)
        told |= new
    return curve, problems


def _describe(
    minute: float, total: int, rate: float, now: Inspection, faults: tuple[Any, Any]
) -> str:
    wrong, busy = (fault.value for fault in faults)
    return (
        f"{minute:6.0f} {total:12,} {rate:10,.0f} {now.memory / 1e6:10.2f} "
        f"{now.resident / 1e6:9.2f} {now.objects:9,} {now.files:6} "
        f"{len(now.delayed_calls):7} {wrong:6} {busy:6}"
    )


def _ask(
    port: int, loads: list[Load], seed: int, counts: tuple[Any, Any, Any], ends: Event
) -> None:
    """Do one load after the other, in an order of this client's own, until the run ends."""
    count, wrong, busy = counts
    chance = random.Random(seed)  # noqa: S311 - a run is to be repeated
    start = seed * 1_000_000_000
    while not ends.is_set():
        load = chance.choice(loads)
        try:
            refused = load.runner.run(port, _TURN, start)
        except (WrongAnswer, OSError) as error:
            print(f"{time.strftime('%H:%M:%S')} {load.name}: {error!r}", flush=True)
            refused = 0
            with wrong.get_lock():
                wrong.value += 1
        with busy.get_lock():
            busy.value += refused
        start += _TURN
        count.value += _TURN


if __name__ == "__main__":
    main()
