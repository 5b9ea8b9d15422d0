"""The daemon, started as a user starts it."""

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection
from typing import Any

import attrs

from tests.e2e.programs import free_port, installed, wait_for_exit

_OURSELVES = "minreg's tests"


@attrs.frozen
class LoggedRequest:
    """A request in the daemon's log."""

    method: str
    path: str
    namespace: str | None
    status: int


class Daemon:
    """``twistd -n minreg`` on a free port of 127.0.0.1, with a log that can be read.

    Args:
        root: The registry tree that it serves.
        directory: Where its log lies.
        options: Further options of its command line.
    """

    def __init__(self, root: str, directory: str, *options: str) -> None:
        self.port = free_port()
        self.registry = f"127.0.0.1:{self.port}"
        self._is_told_to_end = False
        self._log = os.path.join(directory, "log")
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [
                    *(installed("twistd"), "-n", "--pidfile=", "minreg"),
                    *("--root", root, "--port", str(self.port), "--log-format", "json"),
                    *options,
                ],
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def wait_until_it_answers(self, seconds: float = 120) -> None:
        """Wait until the daemon responds, or fails to start."""
        deadline = time.monotonic() + seconds
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the daemon does not answer:\n{self.log()}")
            time.sleep(0.02)

    def terminate(self) -> None:
        """Send SIGTERM to the daemon, as systemd does."""
        if not self._is_told_to_end:
            self._is_told_to_end = True
            self._process.terminate()

    def stop(self) -> int:
        """Stop the daemon, and return its exit status."""
        self.terminate()
        return wait_for_exit(self._process, 40)

    def log(self) -> str:
        """Return the log so far."""
        with open(self._log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def events(self) -> Sequence[Mapping[str, Any]]:
        """Return the events in the log so far."""
        return [json.loads(line) for line in self.log().splitlines()]

    def requests(self) -> Sequence[LoggedRequest]:
        """Return the requests of clients in the log so far, in order."""
        return [
            LoggedRequest(event["method"], event["path"], event["ns"], event["status"])
            for event in self.request_events()
        ]

    def request_events(self) -> Sequence[Mapping[str, Any]]:
        """Return all fields of these requests in the log."""
        # Lines are written at the end of a turn: when it answers once more, that is over.
        self._answers()
        return [
            event
            for event in self.events()
            if event["event"] == "request" and event["user_agent"] != _OURSELVES
        ]

    def _answers(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", "/v2/", headers={"User-Agent": _OURSELVES})
            return connection.getresponse().status == 200
        except (ConnectionError, TimeoutError):
            return False
        finally:
            connection.close()
