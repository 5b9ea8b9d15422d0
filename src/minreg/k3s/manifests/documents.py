"""Reads YAML and JSON manifests as plain values that know their lines.

All scalars but null are text: it is the text that names an image. An alias is the very value that
its anchor marks, so that its images are found once, however often it is used.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Self

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from minreg.k3s.yaml_reader import YamlInvalid, compose_documents, is_null
from minreg.text import printable

Value = Any
"""None, a ``Text``, or a list or dict of values; of JSON also numbers and truth values."""

_MAX_MERGED = 100_000
_MERGE = "<<"
_BLOCK_STYLES = ("|", ">")
_DIRECTIVE = re.compile(r"^%.*", re.MULTILINE)
_MARKER = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)


class DocumentsInvalid(ValueError):
    """A text is not YAML; the message has the line and the reason."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"{line}: {printable(reason)}")


class Text(str):
    """A scalar, and the number of its line, from 1.

    ``first_line`` is the line of its first character, which for a block scalar is the next one.
    """

    __slots__ = ("first_line", "line")
    line: int
    first_line: int

    def __new__(cls, text: str, line: int, first_line: int | None = None) -> Self:
        """Create a text at a line."""
        scalar = super().__new__(cls, text)
        scalar.line = line
        scalar.first_line = line if first_line is None else first_line
        return scalar


def read_documents(text: str, line: int = 1) -> Iterator[Value]:
    """Read the documents of a text.

    Args:
        text: YAML, with any number of documents, or JSON.
        line: The number of the first line of the text.

    Raises:
        DocumentsInvalid: The text is neither YAML nor JSON.
    """
    documents = _read_json(text)
    if documents is not None:
        yield from documents
        return
    for lines_before, part in _split(text):
        yield from _read_yaml(part, line + lines_before)


def _read_json(text: str) -> list[Value] | None:
    """Read JSON; None if it is not JSON, and may still be YAML."""
    text = text.removeprefix("\ufeff").lstrip()
    if not text.startswith(("{", "[")):
        return None
    try:
        return [json.loads(text)]
    except (ValueError, RecursionError):
        return None


def _split(text: str) -> Iterator[tuple[int, str]]:
    """Split a text at the markers between its documents.

    A line that begins with ``---`` is a marker even in a quoted text (YAML 1.2.2, section
    9.1.2). Directives, which precede a marker (section 6.8), are dropped.

    Yields:
        The number of lines before a document, and its text.
    """
    text = _DIRECTIVE.sub("", text)
    line, start = 0, 0
    for marker in _MARKER.finditer(text):
        yield line, text[start : marker.start()]
        line += text.count("\n", start, marker.start())
        start = marker.end()
    yield line, text[start:]


def _read_yaml(text: str, line: int) -> Iterator[Value]:
    """Read the documents of a text whose first line has the number ``line``."""
    try:
        for root in compose_documents(text):
            yield _Builder(line).build(root)
    except YamlInvalid as error:
        raise DocumentsInvalid(line + error.position.line - 1, str(error)) from None


class _Builder:
    """Builds the value of one document."""

    def __init__(self, line: int) -> None:
        self._line = line
        self._values: dict[int, Value] = {}
        self._merged = 0

    def build(self, node: Node) -> Value:
        """Build the value of a node.

        Raises:
            DocumentsInvalid: The document merges too many values.
        """
        if id(node) in self._values:
            return self._values[id(node)]
        value: Value = None
        match node:
            case ScalarNode():
                value = None if is_null(node) else self._make_text(node)
                self._values[id(node)] = value
            case SequenceNode():
                self._values[id(node)] = value = []
                value.extend(map(self.build, node.value))
            case MappingNode():
                self._values[id(node)] = value = {}
                self._fill(value, node)
        return value

    def _make_text(self, node: ScalarNode) -> Text:
        line = self._line_of(node)
        return Text(node.value, line, line + 1 if node.style in _BLOCK_STYLES else line)

    def _fill(self, mapping: dict[str, Value], node: MappingNode) -> None:
        """Fill a mapping; keys of its own override those that ``<<`` merges."""
        merged: list[tuple[dict[str, Value], Node]] = []
        for key_node, value_node in node.value:
            key, value = self.build(key_node), self.build(value_node)
            if key == _MERGE:
                sources = value if isinstance(value, list) else [value]
                self._count_merged(len(sources), key_node)
                merged += [(source, key_node) for source in sources if isinstance(source, dict)]
            else:
                mapping[key if isinstance(key, str) else ""] = value
        for source, key_node in merged:
            self._count_merged(len(source), key_node)
            for key, value in list(source.items()):
                mapping.setdefault(key, value)

    def _count_merged(self, number: int, node: Node) -> None:
        """Count merged values, and mappings too, as empty ones also take time."""
        self._merged += number
        if self._merged > _MAX_MERGED:
            reason = f"the document merges more than {_MAX_MERGED} values"
            raise DocumentsInvalid(self._line_of(node), reason)

    def _line_of(self, node: Node) -> int:
        return self._line + node.start_mark.line
