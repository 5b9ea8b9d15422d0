"""Reads the YAML files that K3s and RKE2 read, with the position of each value.

K3s reads ``registries.yaml`` and ``config.yaml`` with yaml.v2 (gopkg.in/yaml.v2), a translation of
libyaml to Go. PyYAML's ``CSafeLoader`` is libyaml itself, so both accept the same files, down to
the places where a tab is allowed. (Of 40,000 generated texts, libyaml alone refused 62, most of
them for a tag such as ``!]``.) Two differences are handled here: yaml.v2 refuses ``%YAML``
directives other than 1.1 (``yaml_parser_process_directives`` in ``parserc.go``), and it accepts an
anchor that is defined twice, which PyYAML's own composer refuses. Nodes are therefore composed
here, from the parser's events; that also bounds the nesting, and no tag can construct an object.

A PyYAML that was built without libyaml has a parser of its own, which refuses tabs between values.
"""

import base64
import codecs
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import attrs
import yaml
from yaml import (
    AliasEvent,
    CollectionNode,
    DocumentEndEvent,
    Event,
    MappingEndEvent,
    MappingNode,
    MappingStartEvent,
    Node,
    ScalarEvent,
    ScalarNode,
    SequenceEndEvent,
    SequenceNode,
    SequenceStartEvent,
)

MAX_BYTES = 1 << 20
"""Size of the largest file that is read: nobody writes more than this by hand."""

MAX_VALUES = 50_000
_MAX_DEPTH = 100
_MAX_MERGE_DEPTH = 20
_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"])
_FALSE = frozenset(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"])
_BINARY = "tag:yaml.org,2002:binary"
# yaml.v2 finds out the encoding from the mark, as libyaml does (``reader.c``).
_BYTE_ORDER_MARKS = frozenset({codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE})
_KINDS = {MappingNode: "a mapping", SequenceNode: "a list", ScalarNode: "a single value"}
# A directive may only follow other directives and comments.
_OTHER_VERSION = re.compile(r"\s*(?:(?:#|%(?!YAML)).*\n\s*)*(?<!.)%YAML\s(?!\s*1\.1(?!\S))")
_BARE_ASTERISK = re.compile(r"\s*(- +)?\*\s*:")
# All that libyaml refuses (``yaml_parser_update_buffer`` in ``reader.c``). libyaml itself reports
# a byte offset; this gives line and column.
_CONTROL_CHARACTER = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]"
)


@attrs.frozen(order=True)
class Position:
    """A line and a column of a file, both counted from 1."""

    line: int
    column: int


NO_POSITION = Position(0, 0)
"""The position of a text that is in no file."""


@attrs.frozen
class Located:
    """A text and its position in a file. The position does not count for equality."""

    text: str
    position: Position = attrs.field(default=NO_POSITION, eq=False)


@attrs.frozen
class Diagnostic:
    """A mistake in a file: what is wrong, and behind a colon how to fix it.

    ``rule`` names the kind of mistake for programs. ``is_fatal`` is true if K3s cannot read the
    file either, and does not start.
    """

    rule: str
    position: Position
    message: str
    is_fatal: bool = True


class YamlInvalid(ValueError):
    """A text is not YAML; ``position`` is where the parser gave up."""

    def __init__(self, position: Position, reason: str) -> None:
        super().__init__(reason)
        self.position = position


def compose_documents(text: str) -> Iterator[Node]:
    """Compose the documents of a YAML text, one after the other.

    An alias becomes the node that its anchor marks, so a node may occur more than once, and may
    even contain itself.

    Yields:
        The root node of each document.

    Raises:
        YamlInvalid: The text is not YAML from some position on, or is nested too deeply.
    """
    composer = _Composer()
    for event in _parse(text):
        composer.add(event)
        if isinstance(event, DocumentEndEvent):
            yield from composer.roots
            composer = _Composer()


def _parse(text: str) -> Iterator[Event]:
    """Parse a text into events.

    Raises:
        YamlInvalid: The text is not YAML from some position on.
    """
    control = _CONTROL_CHARACTER.search(text)
    if control is not None:
        position = _end_of(text[: control.start()])
        raise YamlInvalid(position, f"the character {ord(control[0]):#04x} is not allowed in YAML")
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        raise YamlInvalid(position, reason) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML's own parser converts the numbers of escaped characters without a check.
        raise YamlInvalid(Position(1, 1), str(error)) from None


class _Composer:
    """Composes the nodes of one document from the parser's events."""

    def __init__(self) -> None:
        self.roots: list[Node] = []
        self._open: list[CollectionNode] = []
        self._keys: list[Node | None] = []
        self._anchors: dict[str, Node] = {}

    def add(self, event: Event) -> None:
        """Add the next event.

        Raises:
            YamlInvalid: An alias has no anchor, or collections are nested too deeply.
        """
        start: Any = event.start_mark
        match event:
            case ScalarEvent():
                end: Any = event.end_mark
                style = event.style or None
                tag = _BINARY if event.tag == _BINARY else ""
                self._add_node(ScalarNode(tag, event.value, start, end, style), event.anchor)
            case AliasEvent():
                if event.anchor not in self._anchors:
                    raise YamlInvalid(position_of(event), f"there is no anchor &{event.anchor}")
                self._add_node(self._anchors[event.anchor])
            case MappingStartEvent() | SequenceStartEvent():
                if len(self._open) == _MAX_DEPTH:
                    reason = f"values are nested more than {_MAX_DEPTH} times"
                    raise YamlInvalid(position_of(event), reason)
                kind = MappingNode if isinstance(event, MappingStartEvent) else SequenceNode
                node = kind("", [], start, None, event.flow_style)
                self._add_node(node, event.anchor)
                self._open.append(node)
                self._keys.append(None)
            case MappingEndEvent() | SequenceEndEvent():
                self._open.pop().end_mark = event.end_mark
                self._keys.pop()

    def _add_node(self, node: Node, anchor: str | None = None) -> None:
        """Add a node to the innermost open collection, and register its anchor."""
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._open:
            self.roots.append(node)
        elif isinstance(self._open[-1], SequenceNode):
            self._open[-1].value.append(node)
        elif self._keys[-1] is None:
            self._keys[-1] = node
        else:
            self._open[-1].value.append((self._keys[-1], node))
            self._keys[-1] = None


@attrs.define
class YamlReader:
    """Reads the values of a file, and collects ``diagnostics`` about its mistakes."""

    diagnostics: list[Diagnostic] = attrs.field(factory=list)
    _values_left: int = MAX_VALUES
    _merge_depth: int = 0
    _aliased: Sequence[int] = ()

    def read(self, content: bytes) -> Node | None:
        """Read the first document of a file, as K3s does.

        Returns:
            The root node, or None if the document is empty or is not YAML.
        """
        text = self._decode(content)
        if text is None:
            return None
        version = _OTHER_VERSION.match(text)
        if version is not None:
            position = _end_of(version[0].rpartition("%")[0])
            self.add_diagnostic(
                "syntax", position, "K3s reads YAML 1.1 only, and the %YAML line names another"
            )
            return None
        documents = compose_documents(text)
        try:
            root = next(documents, None)
        except YamlInvalid as error:
            self.diagnostics.append(_explain(error, text.splitlines()))
            return None
        self._report_second(documents)
        self._aliased = _find_aliased(root) if root is not None else ()
        return root

    def is_aliased(self, value: Node) -> bool:
        """Return whether a value, or a part of it, has an anchor that is used elsewhere."""
        start: Any = value.start_mark
        end: Any = value.end_mark
        first = bisect_left(self._aliased, start.index)
        return first < len(self._aliased) and self._aliased[first] < end.index

    def pairs(
        self, node: Node, what: str, *, replaces: bool = False
    ) -> Iterator[tuple[Located, Node]]:
        """Iterate over a mapping, with ``<<`` merged; of equal keys, a later one overrides.

        Args:
            node: The mapping. Null is an empty one.
            what: The name of the mapping, for diagnostics.
            replaces: Whether the later of two mappings with equal keys replaces the earlier one,
                as in Go's maps of structures. False if it adds to the earlier one, as in the
                fields of a structure.
        """
        if is_null(node):
            return
        if not isinstance(node, MappingNode):
            self._add_wrong_type(node, what, "a mapping, name: value")
            return
        keys: dict[str, Located] = {}
        for key_node, value in node.value:
            if not self._count_value(key_node):
                return
            if _is_merge(key_node):
                yield from self._merged_pairs(value, what)
                continue
            key = self.scalar(key_node, f"a name in {what}")
            if key is None:
                continue
            if key.text in keys:
                is_added = isinstance(value, MappingNode) and not replaces
                effect = "adds the second to the first" if is_added else "uses only the second"
                self.add_diagnostic(
                    "duplicate-key",
                    key.position,
                    f"{key.text} is in {what} twice, here and in line "
                    f"{keys[key.text].position.line}: K3s {effect}, without a message; keep one",
                    is_fatal=False,
                )
            keys[key.text] = key
            yield key, value

    def items(self, node: Node, what: str) -> Iterator[Node]:
        """Iterate over a list. Null is an empty one."""
        if is_null(node):
            return
        if not isinstance(node, SequenceNode):
            self._add_wrong_type(node, what, "a list, each item behind '- '")
            return
        for item in node.value:
            if not self._count_value(item):
                return
            yield item

    def scalar(self, node: Node, what: str) -> Located | None:
        """Read a text, which is empty for null; None if the node is a mapping or a list."""
        if not isinstance(node, ScalarNode):
            self._add_wrong_type(node, what, "a single value")
            return None
        if node.tag == _BINARY:
            return self._binary(node, what)
        return Located("" if is_null(node) else str(node.value), position_of(node))

    def _binary(self, node: ScalarNode, what: str) -> Located | None:
        """Decode a value that is tagged ``!!binary``.

        Source: yaml.v2, ``decode.go``, which uses the strict base64 of Go. That ignores the ends
        of lines, and nothing else.
        """
        encoded = node.value.replace("\r", "").replace("\n", "")
        try:
            text = base64.b64decode(encoded, validate=True).decode("utf-8", "replace")
        except ValueError:
            self._add_wrong_type(node, what, "base64, because it is tagged !!binary")
            return None
        return Located(text, position_of(node))

    def boolean(self, node: Node, what: str) -> bool:
        """Read a truth value, which is false for null."""
        if is_null(node):
            return False
        if isinstance(node, ScalarNode) and node.style is None and not node.tag:
            spelling = str(node.value)
            if spelling in _TRUE | _FALSE:
                return spelling in _TRUE
        self._add_wrong_type(node, what, "true or false, without quotes")
        return False

    def add_diagnostic(
        self, rule: str, position: Position, message: str, *, is_fatal: bool = True
    ) -> None:
        """Add a diagnostic."""
        self.diagnostics.append(Diagnostic(rule, position, message, is_fatal))

    def _report_second(self, documents: Iterator[Node]) -> None:
        """Report a second document, which K3s does not even parse."""
        try:
            second = next(documents, None)
        except YamlInvalid:
            return
        if second is not None:
            self.add_diagnostic(
                "second-document",
                position_of(second),
                "K3s reads only what is above the line ---: put everything into one document",
                is_fatal=False,
            )

    def _merged_pairs(self, node: Node, what: str) -> Iterator[tuple[Located, Node]]:
        """Iterate over what ``<<`` merges. The first of several mappings overrides the others."""
        if self._merge_depth == _MAX_MERGE_DEPTH:
            self.add_diagnostic(
                "too-deep", position_of(node), "<< merges a mapping into itself: write it out"
            )
            return
        self._merge_depth += 1
        mappings: Sequence[Node] = node.value if isinstance(node, SequenceNode) else [node]
        for mapping in reversed(mappings):
            yield from self.pairs(mapping, what)
        self._merge_depth -= 1

    def _add_wrong_type(self, node: Node, what: str, expected: str) -> None:
        message = (
            f"{what} must be {expected}; this is {_KINDS[type(node)]}, and K3s does not start "
            "with it"
        )
        self.add_diagnostic("wrong-type", position_of(node), message)

    def _count_value(self, node: Node) -> bool:
        """Return whether the limit of values is not reached: aliases can multiply them."""
        self._values_left -= 1
        if self._values_left == 0:
            message = f"this has more than {MAX_VALUES} values: write it without aliases"
            self.add_diagnostic("too-large", position_of(node), message)
        return self._values_left > 0

    def _decode(self, content: bytes) -> str | None:
        if len(content) > MAX_BYTES:
            message = f"the file has {len(content)} bytes, more than the {MAX_BYTES} that are read"
            self.add_diagnostic("too-large", Position(1, 1), message)
            return None
        if content in _BYTE_ORDER_MARKS:
            return ""
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            position = _end_of(content[: error.start].decode("utf-8", "replace"))
            self.add_diagnostic("not-utf-8", position, "the file is not UTF-8: save it as UTF-8")
            return None
        control = _CONTROL_CHARACTER.search(text)
        if control is None:
            return text
        message = f"the character {ord(control[0]):#04x} is not allowed in YAML: delete it"
        self.add_diagnostic("control-character", _end_of(text[: control.start()]), message)
        return None


def is_null(node: Node) -> bool:
    """Return whether a node is null: empty, ``~`` or ``null``, without quotes."""
    if not isinstance(node, ScalarNode) or node.tag == _BINARY:
        return False
    return node.style is None and node.value in _NULLS


def position_of(node: Node | Event) -> Position:
    """Return the position where a node or an event begins."""
    mark: Any = node.start_mark
    return Position(mark.line + 1, mark.column + 1)


def _find_aliased(root: Node) -> Sequence[int]:
    """List where the nodes begin that aliases stand for, as sorted indexes of the text."""
    visited: set[Node] = set()
    aliased: set[int] = set()
    nodes = [root]
    while nodes:
        node = nodes.pop()
        if node in visited:
            start: Any = node.start_mark
            aliased.add(start.index)
            continue
        visited.add(node)
        if isinstance(node, MappingNode):
            nodes += chain.from_iterable(node.value)
        elif isinstance(node, SequenceNode):
            nodes += node.value
    return sorted(aliased)


def _is_merge(key: Node) -> bool:
    return isinstance(key, ScalarNode) and key.value == "<<" and key.style is None


def _end_of(text: str) -> Position:
    """Return the position behind a text that begins a file."""
    return Position(text.count("\n") + 1, len(text) - text.rfind("\n"))


def _explain(error: YamlInvalid, lines: Sequence[str]) -> Diagnostic:
    """Say what is wrong, in plain words for the two most frequent mistakes."""
    position = error.position
    line = lines[position.line - 1] if position.line <= len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        message = "this line is indented with a tab, which YAML does not allow: use spaces"
        return Diagnostic("tab", position, message)
    if _BARE_ASTERISK.match(line):
        position = Position(position.line, line.index("*") + 1)
        return Diagnostic("unquoted-star", position, '* must be in quotes: write "*":')
    return Diagnostic("syntax", position, f"this is not YAML: {error}")
