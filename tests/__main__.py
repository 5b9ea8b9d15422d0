"""Runs the tests with trial: ``python -m tests unit`` or ``python -m tests e2e``.

``unit`` stands for the modules of unit tests, which run in one process per processor; ``e2e``
for those that start the daemon, of which two run at once. Everything else is handed to trial as
it is: its options, and the names of tests.
"""

import os
import sys
from collections.abc import Iterator, Sequence

from twisted.scripts import trial

_HERE = os.path.dirname(os.path.abspath(__file__))


def main(arguments: Sequence[str]) -> None:
    """Run trial, which ends the process with its result."""
    processors = len(os.sched_getaffinity(0))
    jobs = {"unit": processors, "e2e": min(processors, 2)}
    # Each run in another order; trial prints the seed that repeats it.
    options = ["--random=0"]
    names: list[str] = []
    for argument in arguments:
        if argument not in jobs:
            options.append(argument)
            continue
        names += _find_names(argument)
        # One process needs no other one that starts it.
        if jobs[argument] > 1:
            options.insert(0, f"--jobs={jobs[argument]}")
    sys.argv = ["trial", *options, *names]
    trial.run()


def _find_names(which: str) -> Iterator[str]:
    if which == "e2e":
        yield "tests.e2e"
        return
    for name in sorted(os.listdir(_HERE)):
        if name.startswith("test_") and name.endswith(".py"):
            yield f"tests.{name.removesuffix('.py')}"


if __name__ == "__main__":
    main(sys.argv[1:])
