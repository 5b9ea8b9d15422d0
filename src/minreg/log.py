"""What the log looks like: a line of text or a JSON object for each event.

Neither can be forged by what a client sends: whatever is not printable is escaped.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

from twisted.logger import FileLogObserver, LogEvent, formatEvent

from minreg.text import printable

LOG_FORMATS = ("text", "json")

_LONGEST = 1024
_OF_TWISTED = frozenset({"time", "format", "isError", "message", "system"})


class Stream(Protocol):
    """Where lines go."""

    def write(self, line: str, /) -> object:
        """Take a line."""

    def flush(self) -> object:
        """See to it that all lines get there."""


def make_observer(log_format: str, stream: Stream) -> FileLogObserver:
    """Make an observer that writes each event to ``stream``.

    Args:
        log_format: One of ``LOG_FORMATS``.
        stream: Where to write.
    """
    as_line: Callable[[LogEvent], str] = {"text": text_line, "json": json_line}[log_format]
    return FileLogObserver(stream, as_line)  # type: ignore[arg-type]  # no more of it is used


def text_line(event: LogEvent) -> str:
    """Write an event as one line: time, level, and what happened.

    Only a fault of minreg itself adds lines, with the traceback behind it.
    """
    return f"{_time(event)} {_kept(event, _text)}"


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
