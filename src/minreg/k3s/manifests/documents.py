"""YAML and JSON, read as plain values that know the line they stand in.

Values are made of a parser's events, so that no tag makes an object, an alias is the very
value that it stands for however often it is used, and nesting has a bound. All scalars but
null are text: it is the text that names an image.
"""

import io
import json
import re
from collections.abc import Collection, Iterator
from typing import Any, NoReturn, Self

import attrs
import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from minreg.text import printable

Value = Any
"""None, a ``Text``, or a list or dict of values; in JSON, also what else JSON has."""

_FastLoader = getattr(yaml, "CLoader", yaml.Loader)
"""PyYAML has libyaml wherever it was built with it, as in all its wheels."""

_DEEPEST = 100
_MOST_MERGED = 100_000
_MERGE = "<<"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_DIRECTIVE = re.compile(r"^%.*", re.MULTILINE)
_MARKER = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)


class DocumentsInvalid(ValueError):
    """A text is no YAML; it says in which line, and why not."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"{line}: {printable(reason)}")


class Text(str):
    """A scalar, and the number of the line that it stands in, from 1."""

    __slots__ = ("line",)
    line: int

    def __new__(cls, text: str, line: int) -> Self:
        """Make one."""
        scalar = super().__new__(cls, text)
        scalar.line = line
        return scalar


def read_documents(text: str, about: Collection[str], line: int = 1) -> Iterator[Value]:
    """Read those documents of a text that have one of certain words in them.

    Whoever looks for images has no use for the many documents that name none, and YAML is
    slow to read. Those are checked for being YAML, no more.

    Args:
        text: YAML, with any number of documents, or JSON.
        about: The words, in lower case; the case does not matter in the text.
        line: The number of the text's first line.

    Raises:
        DocumentsInvalid: It is neither.
    """
    documents = _read_json(text)
    if documents is not None:
        yield from documents
        return
    for first, part in _split(text):
        if any(word in part.lower() for word in about):
            yield from _read_part(part, line + first)
        else:
            _check_part(part, line + first)


def _read_json(text: str) -> list[Value] | None:
    """Read JSON; None if it is none, and may be YAML all the same."""
    text = text.removeprefix("\ufeff").lstrip()
    if not text.startswith(("{", "[")):
        return None
    try:
        return [json.loads(text)]
    except (ValueError, RecursionError):
        return None


def _split(text: str) -> Iterator[tuple[int, str]]:
    """Divide a text at the markers between its documents; number the line of each part, from 0.

    Source: YAML 1.2.2, 9.1.2: what begins a line with three hyphens is a marker, wherever
    it stands; 6.8: directives stand before one.
    """
    text = _DIRECTIVE.sub("", text)
    line, start = 0, 0
    for marker in _MARKER.finditer(text):
        yield line, text[start : marker.start()]
        line += text.count("\n", start, marker.start())
        start = marker.end()
    yield line, text[start:]


def _read_part(text: str, line: int) -> Iterator[Value]:
    """Read documents whose first line has a certain number."""
    builder = _Builder(line)
    try:
        for event in YAML(typ="safe", pure=True).parse(io.StringIO(text)):
            builder.take(event)
            if isinstance(event, DocumentEndEvent):
                yield builder.root
                builder = _Builder(line)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = line if mark is None else line + mark.line
        raise DocumentsInvalid(at, error.problem or "it is no YAML") from None
    except YAMLError as error:
        position = getattr(error, "position", 0)
        at = line + text.count("\n", 0, position)
        raise DocumentsInvalid(at, getattr(error, "reason", "") or "it is no YAML") from None
    except (ValueError, OverflowError) as error:
        if isinstance(error, DocumentsInvalid):
            raise
        raise DocumentsInvalid(line, f"it is no YAML ({error})") from None


def _check_part(text: str, line: int) -> None:
    """Make sure that documents without images are YAML, with libyaml: it is 20 times as fast.

    K3s reads YAML by a translation of libyaml into Go.

    Raises:
        DocumentsInvalid: They are not.
    """
    try:
        for _ in yaml.parse(text, Loader=_FastLoader):
            pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = line if mark is None else line + mark.line
        raise DocumentsInvalid(at, error.problem or "it is no YAML") from None
    except yaml.reader.ReaderError as error:
        at = line + text.count("\n", 0, error.position)
        raise DocumentsInvalid(at, error.reason) from None


@attrs.define
class _Open:
    """A list or a dict that is being read, and the key whose value comes next."""

    value: Value
    anchor: str | None
    key: str | None = None
    merged: list[Value] = attrs.field(factory=list)


class _Builder:
    """Makes a document's value of the events of its parsing."""

    def __init__(self, line: int) -> None:
        self.root: Value = None
        self._line = self._at = line
        self._open: list[_Open] = []
        self._anchors: dict[str, Value] = {}
        self._merged = 0

    def take(self, event: Event) -> None:
        """Take the next event.

        Raises:
            DocumentsInvalid: An alias has no anchor, or there is too much of something.
        """
        if event.start_mark is not None:
            self._at = self._line + event.start_mark.line
        match event:
            case ScalarEvent():
                self._add(self._scalar(event), event.anchor)
            case AliasEvent():
                if event.anchor not in self._anchors:
                    self._refuse(f"nothing is called {event.anchor}")
                self._add(self._anchors[event.anchor], None)
            case MappingStartEvent() | SequenceStartEvent():
                self._begin(event)
            case MappingEndEvent() | SequenceEndEvent():
                self._end()

    def _begin(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        if len(self._open) >= _DEEPEST:
            self._refuse(f"it is nested more than {_DEEPEST} times")
        value: Value = {} if isinstance(event, MappingStartEvent) else []
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        self._open.append(_Open(value, event.anchor))

    def _end(self) -> None:
        done = self._open.pop()
        for other in done.merged:
            self._count_merged(len(other))
            for key, value in list(other.items()):
                done.value.setdefault(key, value)
        self._add(done.value, done.anchor)

    def _add(self, value: Value, anchor: str | None) -> None:
        """Put a value where it belongs: into a list, or as a key or value of a dict."""
        if anchor is not None:
            self._anchors[anchor] = value
        if not self._open:
            self.root = value
            return
        above = self._open[-1]
        if isinstance(above.value, list):
            above.value.append(value)
        elif above.key is None:
            above.key = value if isinstance(value, str) else ""
        else:
            key, above.key = above.key, None
            if key == _MERGE:
                listed = value if isinstance(value, list) else [value]
                self._count_merged(len(listed))
                above.merged += [one for one in listed if isinstance(one, dict)]
            else:
                above.value[key] = value

    def _scalar(self, event: ScalarEvent) -> Text | None:
        if event.style is None and event.value in _NULLS:
            return None
        return Text(event.value, self._at)

    def _count_merged(self, number: int) -> None:
        """Count what is merged: mappings, for there are empty ones, and what is in them."""
        self._merged += number
        if self._merged > _MOST_MERGED:
            self._refuse(f"it merges more than {_MOST_MERGED} values")

    def _refuse(self, reason: str) -> NoReturn:
        raise DocumentsInvalid(self._at, reason)
