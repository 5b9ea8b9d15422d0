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
    # Each run in another order; trial prints the seed that repeats it.
    sys.argv = ["trial", "--random=0", *_expand(arguments)]
    trial.run()


def _expand(arguments: Sequence[str]) -> Iterator[str]:
    processors = len(os.sched_getaffinity(0))
    for argument in arguments:
        if argument == "unit":
            yield from _jobs(processors)
            for name in sorted(os.listdir(_HERE)):
                if name.startswith("test_") and name.endswith(".py"):
                    yield f"tests.{name.removesuffix('.py')}"
        elif argument == "e2e":
            yield from _jobs(min(processors, 2))
            yield "tests.e2e"
        else:
            yield argument


def _jobs(count: int) -> Iterator[str]:
    # One process needs no other one that starts it.
    if count > 1:
        yield f"--jobs={count}"


if __name__ == "__main__":
    main(sys.argv[1:])
