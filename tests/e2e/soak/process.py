"""The daemon's process: its memory, its open files, and its delayed calls."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import attrs

from tests.e2e.programs import free_port, wait_for_exit
from tests.e2e.soak.wire import HOST, Reader, connect

_INSPECTED_TWISTD = os.path.join(os.path.dirname(__file__), "inspected_twistd.py")
_TRACEBACK = b"Traceback (most recent call last)"
_READY = b"GET /v2/ HTTP/1.1\r\nHost: %s\r\n\r\n" % HOST.encode("ascii")


@attrs.frozen
class Inspection:
    """The resources of a process.

    ``memory`` is in bytes: pages that are its own, and not shared with another process or
    with a file, resident or swapped (proc_pid_smaps(5)). ``resident`` counts shared pages
    too. ``objects`` are those that Python's garbage collector knows.
    """

    memory: int
    resident: int
    files: int
    delayed_calls: Sequence[str]
    objects: int


class InspectedDaemon:
    """``twistd -n minreg`` in a process that can be inspected.

    Args:
        root: The registry tree that it serves.
        directory: The directory of its log.
        command: A command to start it with, such as ``nice``.
    """

    def __init__(self, root: str, directory: str, *command: str) -> None:
        self.port = free_port()
        self._inspection = os.path.join(directory, "inspection")
        self._log = os.path.join(directory, "log")
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                [
                    *(*command, sys.executable, "-P", _INSPECTED_TWISTD),
                    *("-n", "--pidfile=", "minreg", "--root", root, "--port", str(self.port)),
                    *("--interface", HOST),
                ],
                cwd=directory,
                env={**os.environ, "MINREG_TEST_INSPECTION": self._inspection},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_until_ready(self, seconds: float = 60) -> None:
        """Wait until the daemon responds."""
        deadline = time.monotonic() + seconds
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the daemon does not answer:\n{self.take_log()!r}")
            time.sleep(0.05)

    def inspect(self, seconds: float = 60) -> Inspection:
        """Return the resources of the process, after a garbage collection."""
        self._process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + seconds
        while not os.path.exists(self._inspection):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the daemon says nothing:\n{self.take_log()!r}")
            time.sleep(0.005)
        with open(self._inspection, encoding="utf-8") as file:
            told = json.load(file)
        os.unlink(self._inspection)
        memory = self._read_memory()
        return Inspection(
            memory["Private_Dirty"] + memory["Swap"],
            memory["Rss"],
            len(os.listdir(f"/proc/{self._process.pid}/fd")),
            sorted(told["delayed_calls"]),
            told["objects"],
        )

    def take_log(self) -> bytes:
        """Return what was logged since the last call, and empty the log."""
        with open(self._log, "rb") as log:
            content = log.read()
        os.truncate(self._log, 0)
        return content

    def check_log(self) -> bytes:
        """Check that no traceback was logged since the last call, and empty the log.

        Returns:
            What was logged.
        """
        content = self.take_log()
        if (place := content.find(_TRACEBACK)) >= 0:
            text = content[max(0, place - 2000) : place + 4000]
            raise AssertionError(f"the daemon logged:\n{text.decode('utf-8', 'replace')}")
        return content

    def stop(self) -> int:
        """Stop the daemon, and return its exit status."""
        self._process.terminate()
        return wait_for_exit(self._process, 40)

    def _is_ready(self) -> bool:
        try:
            with connect(self.port) as client:
                client.sendall(_READY)
                return Reader(client).read_status() == 200
        except OSError:
            return False

    def _read_memory(self) -> dict[str, int]:
        """Read the sums of all mappings, in bytes."""
        with open(f"/proc/{self._process.pid}/smaps_rollup", encoding="ascii") as file:
            lines = [line.split() for line in file if line.endswith("kB\n")]
        return {name.rstrip(":"): int(size) * 1024 for name, size, _unit in lines}
