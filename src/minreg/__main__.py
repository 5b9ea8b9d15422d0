"""``python -m minreg``: the ``minreg`` command, or a worker process of the daemon.

A program that contains Python starts here too.
"""

import sys

from minreg.program import WORKER


def main() -> None:
    """Run a worker if the first argument says so, and the command line otherwise."""
    if sys.argv[1:2] == [WORKER]:
        # Not a command: click would need memory in each worker.
        from minreg.daemon.lazy_imports import defer_imports  # noqa: PLC0415 - see above

        defer_imports()
        from minreg.daemon.worker import main as run_worker  # noqa: PLC0415 - imports Twisted

        run_worker(sys.argv[2])
        return
    from minreg.cli import main as run_command  # noqa: PLC0415 - see above

    run_command()


if __name__ == "__main__":
    main()
