"""Formatting the log: a line of text or a JSON object for each event.

Text from clients is escaped, so that no client can forge a line.

Text for systemd's journal follows sd-daemon(3): each line begins with its priority, and has no
time, because the journal records that itself.
"""

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

import attrs
from twisted.logger import FileLogObserver, LogEvent, Logger, LogLevel, formatEvent

from minreg.text import printable

LOG_FORMATS = ("text", "json")

_PRIORITIES = {"debug": 7, "info": 6, "warn": 4, "error": 3, "critical": 2}
"""Priorities of syslog(3), by level."""

_RUNNER = ("twisted.application.", "twisted.scripts.", "twisted.internet.base")
_FACTORY = ("Starting factory ", "Stopping factory ")
_PORT = re.compile(r"\(.+ Port .+ Closed\)|\S+ starting on \S+")

_LONGEST_FIELD = 1024
_TWISTED_FIELDS = frozenset({"time", "format", "isError", "message", "system"})


@attrs.frozen(eq=False)
class RequestRecord:
    """What the access log says about a request.

    It keeps the lines that were formatted from it, for a request that is answered again and
    again. Events carry it in the field ``request``.

    Attributes:
        client: The IP address of the client, or ``unix``.
        method: The request's method.
        path: The request's target, as the client sent it.
        ns: The registry that the client named (``ns``), or empty.
        status: The response's status.
        bytes: Bytes of the response's body that were sent.
        user_agent: The header field ``User-Agent``.
        failure: Why the request was refused or its response aborted, or empty.
        seconds: How long the response took.
    """

    client: str
    method: str = "-"
    path: str = "-"
    ns: str = ""
    status: int = 0
    bytes: int = 0
    user_agent: str = "-"
    failure: str = ""
    seconds: float = 0.0
    _lines: dict[object, str] = attrs.field(factory=dict, init=False, repr=False)

    def __str__(self) -> str:
        return (
            f"{self.client} {self.method} {self.path} ns={self.ns!r} {self.status} "
            f"{self.bytes}B {self.seconds:.3f}s {self.user_agent!r} {self.failure}"
        )

    def fields(self) -> dict[str, Any]:
        """Return the record's fields by their names in the JSON log."""
        names = (field.name for field in attrs.fields(RequestRecord) if field.init)
        return {name: getattr(self, name) for name in names}

    def for_client(self, client: str) -> "RequestRecord":
        """Return the record of the same request from another client."""
        return attrs.evolve(self, client=client)

    def line(self, event: LogEvent, render: Callable[[LogEvent], str]) -> str:
        """Return an event of this record as ``render`` formats it, which happens only once.

        Args:
            event: The event. Only its time differs from other events of this record.
            render: Formats all of an event but its time.
        """
        line = self._lines.get(render)
        if line is None:
            line = self._lines[render] = render(event)
        return line


class AccessLog:
    """Logs requests.

    Attributes:
        count: How many requests were logged.
    """

    def __init__(self) -> None:
        self.count = 0
        self._publish = Logger(namespace="minreg.access").observer

    def publish(self, record: RequestRecord) -> None:
        """Log a request."""
        self.count += 1
        self._publish(
            {
                "event": "request",
                "request": record,
                "log_format": "{request}",
                "log_level": LogLevel.info,
                "log_namespace": "minreg.access",
                "log_time": time.time(),
            }
        )


class Stream(Protocol):
    """A stream that lines are written to."""

    def write(self, line: str, /) -> object:
        """Write a line."""

    def flush(self) -> object:
        """Make sure that all lines are written."""


def make_observer(
    log_format: str, stream: Stream, *, for_journal: bool = False
) -> FileLogObserver:
    """Make an observer that writes each event to ``stream``.

    Args:
        log_format: One of ``LOG_FORMATS``.
        stream: Where to write.
        for_journal: Whether text is formatted for systemd's journal.
    """
    as_text = journal_line if for_journal else text_line
    as_line: Callable[[LogEvent], str] = {"text": as_text, "json": json_line}[log_format]
    return FileLogObserver(stream, as_line)  # type: ignore[arg-type]  # no more of it is used


def is_journal(stream: Any, environment: Mapping[str, str]) -> bool:
    """Return whether a stream leads to systemd's journal.

    Args:
        stream: A file. Other streams do not lead to the journal.
        environment: The variables of the process. ``JOURNAL_STREAM`` has the device and inode
            of what systemd connected to the journal (systemd.exec(5)): a file that was opened
            since, or a pipe that a parent process made, is another one.
    """
    connected = environment.get("JOURNAL_STREAM", "")
    try:
        status = os.fstat(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return False
    return connected == f"{status.st_dev}:{status.st_ino}"


def text_line(event: LogEvent) -> str:
    """Format an event as one line with its time, its level and its message.

    Only an error in minreg itself has more lines, with the traceback. Twisted's messages about its
    own start and stop are left out: the result is empty.
    """
    if _is_life_cycle(event):
        return ""
    return f"{_time(event)} {_render(event, _text)}"


def journal_line(event: LogEvent) -> str:
    """Format an event as ``text_line``, with a priority before each line instead of the time."""
    if _is_life_cycle(event):
        return ""
    return _render(event, _journal)


def json_line(event: LogEvent) -> str:
    """Format an event as a JSON object on one line, with the fields of docs/log.md."""
    return f'{{"time": "{_time(event)}", {_render(event, _json)}'


def _render(event: LogEvent, render: Callable[[LogEvent], str]) -> str:
    """Return all of an event's line but the time."""
    record: RequestRecord | None = event.get("request")
    return render(event) if record is None else record.line(event, render)


def _text(event: LogEvent) -> str:
    record = event.get("request")
    # Twisted's formatting would take as long as all the rest of logging a request.
    message = formatEvent(event) if record is None else str(record)
    line = f"{_level(event)} {printable(message)}".rstrip()
    if "log_failure" in event:
        line += "\n" + event["log_failure"].getTraceback().rstrip()
    return line + "\n"


def _journal(event: LogEvent) -> str:
    priority = f"<{_PRIORITIES.get(_level(event), 6)}>"
    return "".join(f"{priority}{line}" for line in _text(event).splitlines(keepends=True))


def _is_life_cycle(event: LogEvent) -> bool:
    """Return whether Twisted reports with an event that its reactor or a port starts or stops.

    These are left out of the log: the daemon itself logs its version, root, listeners and end.
    Warnings, errors and Twisted's messages about connections are not left out.
    """
    if _level(event) != "info" or "log_failure" in event:
        return False
    namespace, form = event.get("log_namespace", ""), event.get("log_format") or ""
    if namespace.startswith(_RUNNER) or form.startswith(_FACTORY):
        return True
    return namespace == "log_legacy" and bool(_PORT.fullmatch(event.get("log_text", "")))


def _json(event: LogEvent) -> str:
    fields: dict[str, Any] = {"level": _level(event), "event": "message"}
    record: RequestRecord | None = event.get("request")
    if record is not None:
        fields |= {"event": "request", **_shorten(record.fields())}
    else:
        if "event" in event:
            fields |= _shorten({key: value for key, value in event.items() if _is_ours(key)})
        fields["message"] = formatEvent(event)
    if "log_failure" in event:
        fields["traceback"] = event["log_failure"].getTraceback()
    return json.dumps(fields)[1:] + "\n"


def _is_ours(key: str) -> bool:
    """Return whether minreg gave an event this field, and not Twisted."""
    return not key.startswith("log_") and key not in _TWISTED_FIELDS


def _shorten(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields with long texts cut to ``_LONGEST_FIELD`` characters."""
    return {
        key: value[:_LONGEST_FIELD] if isinstance(value, str) else value
        for key, value in fields.items()
    }


def _time(event: LogEvent) -> str:
    return _instant(int(event.get("log_time", 0.0) * 1000))


@lru_cache(maxsize=1)
def _instant(milliseconds: int) -> str:
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=1)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _level(event: LogEvent) -> str:
    level = event.get("log_level")
    return "info" if level is None else str(level.name)
