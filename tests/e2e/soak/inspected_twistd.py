"""``twistd`` that reports on SIGUSR1 its delayed calls and its number of objects.

It writes JSON to the file that MINREG_TEST_INSPECTION names: ``delayed_calls``, what each of
them will call, and ``objects``, counted after a garbage collection.
"""

import gc
import json
import os
import signal
from types import FrameType

from twisted.internet import reactor
from twisted.scripts.twistd import run

_PATH = os.environ["MINREG_TEST_INSPECTION"]


def write_inspection() -> None:
    """Write the file atomically."""
    gc.collect()
    # Not gc.get_objects(): a tuple that another thread is just filling can then not be resized,
    # and building it fails (SystemError).
    gc.freeze()
    objects = gc.get_freeze_count()
    gc.unfreeze()
    calls = [repr(getattr(call, "func", call)) for call in reactor.getDelayedCalls()]
    with open(f"{_PATH}.new", "w", encoding="utf-8") as file:
        json.dump({"delayed_calls": calls, "objects": objects}, file)
    os.rename(f"{_PATH}.new", _PATH)


def obey(_number: int, _frame: FrameType | None) -> None:
    """Write the file in the next iteration of the reactor."""
    reactor.callFromThread(write_inspection)  # type: ignore[attr-defined]  # of IReactorThreads


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, obey)
    run()
