"""What the log looks like: a line of text or a JSON object for each event.

Neither can be forged by what a client sends: whatever is not printable is escaped.

Text that goes to systemd's journal is written as sd-daemon(3) wants it: each line begins with its
priority, and has no time, for the journal has its own.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

from twisted.logger import FileLogObserver, LogEvent, formatEvent

from minreg.text import printable

LOG_FORMATS = ("text", "json")

_PRIORITIES = {"debug": 7, "info": 6, "warn": 4, "error": 3, "critical": 2}
"""Priorities of syslog(3), by level."""

_RUNNER = ("twisted.application.", "twisted.scripts.", "twisted.internet.base")
_FACTORY = ("Starting factory ", "Stopping factory ")
_PORT = re.compile(r"\(.+ Port .+ Closed\)|\S+ starting on \S+")

_LONGEST = 1024
_OF_TWISTED = frozenset({"time", "format", "isError", "message", "system"})


class Stream(Protocol):
    """Where lines go."""

    def write(self, line: str, /) -> object:
        """Take a line."""

    def flush(self) -> object:
        """See to it that all lines get there."""


def make_observer(
    log_format: str, stream: Stream, *, for_journal: bool = False
) -> FileLogObserver:
    """Make an observer that writes each event to ``stream``.

    Args:
        log_format: One of ``LOG_FORMATS``.
        stream: Where to write.
        for_journal: Whether text is written as systemd's journal wants it.
    """
    as_text = journal_line if for_journal else text_line
    as_line: Callable[[LogEvent], str] = {"text": as_text, "json": json_line}[log_format]
    return FileLogObserver(stream, as_line)  # type: ignore[arg-type]  # no more of it is used


def is_journal(stream: Any, environment: Mapping[str, str]) -> bool:
    """Return whether a stream leads to systemd's journal.

    Args:
        stream: A file, or another stream, which leads elsewhere.
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
    """Write an event as one line: time, level, and what happened.

    Only a fault of minreg itself adds lines, with the traceback behind it. What Twisted says of
    its own start and stop is left out: the result is empty.
    """
    if _is_life_cycle(event):
        return ""
    return f"{_time(event)} {_kept(event, _text)}"


def journal_line(event: LogEvent) -> str:
    """Write an event as ``text_line``, but with priorities in front of lines, and no time."""
    if _is_life_cycle(event):
        return ""
    return _kept(event, _journal)


def json_line(event: LogEvent) -> str:
    """Write an event as a JSON object on one line, with the fields of docs/log.md."""
    return f'{{"time": "{_time(event)}", {_kept(event, _json)}'


def _kept(event: LogEvent, render: Callable[[LogEvent], str]) -> str:
    """Render all but the time, or take what was rendered when the event was logged before."""
    kept: dict[object, str] | None = event.get("log_kept")
    if kept is None:
        return render(event)
    line = kept.get(render)
    if line is None:
        line = kept[render] = render(event)
    return line


def _text(event: LogEvent) -> str:
    line = f"{_level(event)} {printable(_words(event))}".rstrip()
    if "log_failure" in event:
        line += "\n" + event["log_failure"].getTraceback().rstrip()
    return line + "\n"


def _journal(event: LogEvent) -> str:
    priority = f"<{_PRIORITIES.get(_level(event), 6)}>"
    return "".join(f"{priority}{line}" for line in _text(event).splitlines(keepends=True))


def _is_life_cycle(event: LogEvent) -> bool:
    """Return whether this is what Twisted says of its runner, reactor, factories and ports.

    The daemon's own lines say what of it matters: version, root, listeners, and the end.
    Warnings, errors and what Twisted says of connections are no part of it.
    """
    if _level(event) != "info" or "log_failure" in event:
        return False
    namespace, form = event.get("log_namespace", ""), event.get("log_format") or ""
    if namespace.startswith(_RUNNER) or form.startswith(_FACTORY):
        return True
    return namespace == "log_legacy" and bool(_PORT.fullmatch(event.get("log_text", "")))


def _json(event: LogEvent) -> str:
    fields: dict[str, Any] = {"level": _level(event), "event": "message"}
    if "event" in event:
        fields |= {key: _cut(value) for key, value in event.items() if _is_ours(key)}
    if fields["event"] != "request":
        fields["message"] = formatEvent(event)
    if "log_failure" in event:
        fields["traceback"] = event["log_failure"].getTraceback()
    return json.dumps(fields)[1:] + "\n"


def _is_ours(key: str) -> bool:
    """Whether whoever logged the event gave it this field, and not Twisted on its way."""
    return not key.startswith("log_") and key not in _OF_TWISTED


def _cut(value: Any) -> Any:
    return value[:_LONGEST] if isinstance(value, str) else value


def _words(event: LogEvent) -> str:
    """Say what happened. There are so many requests that these say it themselves.

    Twisted's own formatting of such a line takes as long as all else about a request.
    """
    words: Callable[[], str] | None = event.get("log_words")
    return formatEvent(event) if words is None else words()


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
