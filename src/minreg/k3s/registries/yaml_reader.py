"""Where something stands in a file, and what is wrong there."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import attrs
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode


@attrs.frozen(order=True)
class Position:
    """A line and a column, both counted from 1."""

    line: int
    column: int


NOWHERE = Position(0, 0)
"""For what stands in no file."""


@attrs.frozen
class Located:
    """A text, and where it stands. Words are equal by their text."""

    text: str
    place: Position = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class Diagnostic:
    """Something that cannot be read as it stands, and the mend.

    ``rule`` names the kind of problem for programs. ``is_fatal`` says that K3s cannot read the
    file either, and does not start.
    """

    rule: str
    place: Position
    message: str
    is_fatal: bool = True


# A quote, or a comment, begins behind these only: elsewhere it is part of a plain text.
_TOKEN = re.compile(
    r"""
    ^[ \t]*(?:[-?][ \t]+)*
    | (?<![^\s\[{,:])"(?:\\.|[^"\\])*"
    | (?<![^\s\[{,:])'(?:''|[^'])*'
    | (?<!\S)\#[^\n]*
    | (?P<tab>\t)
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)


def without_tabs(text: str) -> str:
    """Make spaces of the tabs that separate, so that all stays in its place."""
    return _TOKEN.sub(lambda token: " " if token["tab"] else token[0], text)


LIMIT = 1 << 20
"""Bytes of the largest file that is read: nobody writes more by hand."""

MOST_VALUES = 50_000
_DEEPEST_MERGE = 20
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"])
_FALSE = frozenset(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"])
_KINDS = {MappingNode: "a mapping", SequenceNode: "a list", ScalarNode: "a single value"}
# Behind nothing but other directives and comments (``parserc.go``: 1.1 or nothing).
_OTHER_VERSION = re.compile(r"\s*(?:(?:#|%(?!YAML)).*\n\s*)*(?<!.)%YAML\s(?!\s*1\.1(?!\S))")
_BARE_STAR = re.compile(r"\s*(- +)?\*\s*:")
# An escape can bring in half a character, which no UTF-8 has.
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")


@attrs.define
class YamlReader:
    """Takes documents apart, and keeps account of what is wrong with them."""

    problems: list[Diagnostic] = attrs.field(factory=list)
    _values_left: int = MOST_VALUES
    _merges: int = 0

    def read(self, content: bytes) -> Node | None:
        """Read the first document, as K3s does.

        Returns:
            None if it is empty, or cannot be read at all.
        """
        text = self._decode(content)
        if text is None:
            return None
        version = _OTHER_VERSION.match(text)
        if version is not None:
            place = _place_in(version[0].rpartition("%")[0])
            self.report("syntax", place, "K3s takes YAML 1.1 only, and this says %YAML of another")
            return None
        yaml = YAML(typ="safe", pure=True)
        yaml.composer.warn_double_anchors = False
        documents = yaml.compose_all(without_tabs(text))
        try:
            root: Node | None = next(iter(documents), None)
        except MarkedYAMLError as error:
            self.problems.append(_explain(error, text.splitlines()))
            return None
        except (YAMLError, RecursionError, ValueError) as error:
            self.report(
                "syntax", Position(1, 1), f"this is no YAML that can be read: {_brief(error)}"
            )
            return None
        with suppress(YAMLError, RecursionError, ValueError):
            for rest in documents:
                self.report(
                    "second-document",
                    place_of(rest),
                    "K3s reads what stands before the line ---, and nothing after it: "
                    "make one document of it",
                    is_fatal=False,
                )
                break
        return root

    def pairs(
        self, node: Node, what: str, *, replaces: bool = False
    ) -> Iterator[tuple[Located, Node]]:
        """Go through a mapping, ``<<`` resolved, in the order in which later ones count.

        Args:
            node: The mapping.
            what: How to call it.
            replaces: Of equal names with mappings, the later one takes the place of the earlier,
                as in Go's maps of structures; False if it adds to that, as in fields of these.
        """
        if is_null(node):
            return
        if not isinstance(node, MappingNode):
            self._wrong_type(node, what, "a mapping, name: value")
            return
        seen: dict[str, Located] = {}
        for key, value in node.value:
            if not self._has_room(key):
                return
            if isinstance(key, ScalarNode) and key.value == "<<" and key.style is None:
                yield from self._merged(value, what)
                continue
            word = self.word(key, f"a name in {what}")
            if word is None:
                continue
            if word.text in seen:
                is_added = isinstance(value, MappingNode) and not replaces
                takes = "adds the later one to the first" if is_added else "takes the later one"
                self.report(
                    "duplicate-key",
                    word.place,
                    f"{word.text} stands here and in line {seen[word.text].place.line} of {what}: "
                    f"K3s {takes} and says nothing; make one of them",
                    is_fatal=False,
                )
            seen[word.text] = word
            yield word, value

    def items(self, node: Node, what: str) -> Iterator[Node]:
        """Go through a list."""
        if is_null(node):
            return
        if not isinstance(node, SequenceNode):
            self._wrong_type(node, what, "a list, each item behind '- '")
            return
        for item in node.value:
            if not self._has_room(item):
                return
            yield item

    def word(self, node: Node, what: str) -> Located | None:
        """Read a text; a null is an empty one."""
        if not isinstance(node, ScalarNode):
            self._wrong_type(node, what, "a single value")
            return None
        text = "" if is_null(node) else str(node.value)
        half = _SURROGATE.search(text)
        if half is not None:
            message = f"the character {ord(half[0]):#06x} has no place in YAML: take it out"
            self.report("control-character", place_of(node), message)
            return None
        return Located(text, place_of(node))

    def flag(self, node: Node, what: str) -> bool:
        """Read a truth value; a null is false."""
        if is_null(node):
            return False
        if isinstance(node, ScalarNode) and node.style is None:
            spelling = str(node.value)
            if spelling in _TRUE | _FALSE:
                return spelling in _TRUE
        self._wrong_type(node, what, "true or false, without quotes")
        return False

    def report(self, rule: str, place: Position, message: str, *, is_fatal: bool = True) -> None:
        """Add a problem."""
        self.problems.append(Diagnostic(rule, place, message, is_fatal))

    def _merged(self, node: Node, what: str) -> Iterator[tuple[Located, Node]]:
        """What ``<<`` brings in: of several mappings the first counts, hence comes last."""
        if self._merges == _DEEPEST_MERGE:
            self.report(
                "too-deep", place_of(node), "<< leads in a circle: write out what is meant"
            )
            return
        self._merges += 1
        for mapping in reversed(node.value) if isinstance(node, SequenceNode) else [node]:
            yield from self.pairs(mapping, what)
        self._merges -= 1

    def _wrong_type(self, node: Node, what: str, wanted: str) -> None:
        kind = _KINDS.get(type(node), "something else")
        message = f"{what} must be {wanted}; this is {kind}, and K3s does not start with it"
        self.report("wrong-type", place_of(node), message)

    def _has_room(self, node: Node) -> bool:
        """Count a value; aliases of aliases make many out of few."""
        self._values_left -= 1
        if self._values_left == 0:
            message = f"this holds more than {MOST_VALUES} values: write out what is meant"
            self.report("too-large", place_of(node), message)
        return self._values_left > 0

    def _decode(self, content: bytes) -> str | None:
        if len(content) > LIMIT:
            message = f"this has {len(content)} bytes, too many for a file of its kind"
            self.report("too-large", Position(1, 1), message)
            return None
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            place = _place_in(content[: error.start].decode("utf-8", "replace"))
            self.report("not-utf-8", place, "this is not UTF-8: save the file as UTF-8")
            return None
        control = _CONTROL.search(text)
        if control is None:
            return text
        message = f"the character {ord(control[0]):#04x} has no place in YAML: take it out"
        self.report("control-character", _place_in(text[: control.start()]), message)
        return None


def is_null(node: Node) -> bool:
    """Tell whether there is no value: nothing at all, ``~`` or ``null``."""
    return isinstance(node, ScalarNode) and node.style is None and node.value in _NULLS


def place_of(node: Node) -> Position:
    """Tell where something begins."""
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)


def _place_in(before: str) -> Position:
    return Position(before.count("\n") + 1, len(before) - before.rfind("\n"))


def _brief(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]


def _explain(error: MarkedYAMLError, lines: list[str]) -> Diagnostic:
    """Say in the operator's words what the scanner could not make sense of."""
    mark: Any = error.problem_mark or error.context_mark
    place = Position(mark.line + 1, mark.column + 1) if mark is not None else Position(1, 1)
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        message = "this line is indented with a tab, which YAML forbids: use spaces"
        return Diagnostic("tab", place, message)
    if _BARE_STAR.match(line):
        return Diagnostic("unquoted-star", place, 'an asterisk must be quoted: write "*":')
    message = ", ".join(part for part in (error.context, error.problem) if part)
    return Diagnostic("syntax", place, f"this is no YAML: {message}")
