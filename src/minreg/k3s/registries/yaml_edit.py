"""Edits a ``registries.yaml`` by inserting text, so that everything else stays to the byte."""

import re
from collections.abc import Mapping, Sequence

import attrs
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from minreg.k3s.registries.yaml_writer import Document, block, flow
from minreg.k3s.yaml_reader import is_null

_OPENING = re.compile(r"(?:[&!]\S*\s+)*[{\[]")

_Value = Document | Sequence[str] | str | bool


class CannotInsert(Exception):
    """The file has no position to insert at, such as behind an alias."""


@attrs.define
class Insertion:
    """Collects insertions into a YAML text.

    Args:
        text: The text.
        root: The root node of its first document, None if it is empty.
    """

    _text: str
    _root: Node | None
    _edits: list[tuple[int, int, str]] = attrs.field(factory=list)

    @property
    def newline(self) -> str:
        """The line ending of the text."""
        return "\r\n" if "\r\n" in self._text else "\n"

    def apply(self, document: Document) -> str:
        """Insert what the text lacks of a document, and return the whole text.

        Args:
            document: Mappings, which are added to existing ones, and complete lists, which contain
                all existing items in their order.

        Raises:
            CannotInsert: The text has no position to insert at.
        """
        root = self._root
        if root is None or (is_null(root) and root.start_mark.index == root.end_mark.index):
            self._append(document, 0)
        else:
            self._extend(None, root, document)
        text = self._text
        # From the last to the first, so that earlier positions stay valid.
        for _, (start, end, addition) in sorted(enumerate(self._edits), key=_order, reverse=True):
            text = text[:start] + addition + text[end:]
        return text

    def _extend(self, key: Node | None, node: Node, value: _Value) -> None:
        if isinstance(node, MappingNode) and isinstance(value, Mapping):
            self._extend_mapping(key, node, value)
        elif isinstance(node, SequenceNode) and isinstance(value, Sequence):
            self._extend_list(key, node, value)
        else:
            raise CannotInsert

    def _extend_mapping(self, key: Node | None, node: MappingNode, document: Document) -> None:
        existing = {name.value: (name, value) for name, value in node.value}
        new: dict[str, _Value] = {}
        for name, part in document.items():
            if name not in existing:
                new[name] = part
            elif is_null(existing[name][1]):
                self._fill(*existing[name], part, is_in_flow=bool(node.flow_style))
            else:
                self._extend(*existing[name], part)
        if not new:
            return
        if node.flow_style:
            start = self._opening(key, node)
            self._insert_first(start, flow(new)[1:-1], is_last=not node.value)
        elif key is None:
            self._append(new, node.start_mark.column)
        else:
            self._check(key, node)
            self._insert_below(key, new, node.value[0][0].start_mark.column)

    def _extend_list(self, key: Node | None, node: SequenceNode, items: Sequence[str]) -> None:
        existing = {item.value: item for item in node.value}
        previous = None
        start = self._opening(key, node) if node.flow_style else 0
        for item in items:
            if item in existing:
                previous = existing[item]
                self._check(node, previous, is_inside=True)
            elif not node.flow_style:
                self._check(key, node)
                self._insert_below(previous or key, [item], node.start_mark.column)
            elif previous is not None:
                self._insert(previous.end_mark.index, f", {flow(item)}")
            else:
                is_last = not existing and item == items[-1]
                self._insert_first(start, flow(item), is_last=is_last)

    def _fill(self, key: Node, null: Node, part: _Value, *, is_in_flow: bool) -> None:
        """Insert the value of a key whose value is null."""
        self._check(key, null)
        start, end = null.start_mark.index, null.end_mark.index
        if start < end and self._text[start] not in "&!":
            self._edits.append((start, end, ""))
        if is_in_flow or isinstance(part, str | bool):
            space = "" if self._text[end - 1].isspace() else " "
            self._insert(end, f"{space}{flow(part)}")
        else:
            self._insert_below(key, part, key.start_mark.column + 2)

    def _insert_below(
        self, node: Node | None, value: Document | Sequence[str], indent: int
    ) -> None:
        """Insert lines below the line in which a node ends; at the top of the text for None."""
        end = self._text.find("\n", node.end_mark.index if node is not None else 0)
        lines = list(block(value, indent))
        if end < 0:
            self._insert(len(self._text), "".join(f"{self.newline}{line}" for line in lines))
        else:
            self._insert(end + 1, "".join(f"{line}{self.newline}" for line in lines))

    def _insert_first(self, index: int, text: str, *, is_last: bool) -> None:
        """Insert at the beginning of a collection in flow style."""
        comma = "" if is_last else "," if self._text[index].isspace() else ", "
        self._insert(index, f"{text}{comma}")

    def _append(self, value: Document, indent: int) -> None:
        lines = "".join(f"{line}{self.newline}" for line in block(value, indent))
        ends_line = not self._text or self._text.endswith("\n")
        self._insert(len(self._text), lines if ends_line else f"{self.newline}{lines}")

    def _insert(self, index: int, text: str) -> None:
        self._edits.append((index, index, text))

    def _opening(self, key: Node | None, node: Node) -> int:
        """Return the index behind the opening bracket of a collection in flow style."""
        self._check(key, node)
        opening = _OPENING.match(self._text, node.start_mark.index)
        if opening is None:
            raise CannotInsert
        return opening.end()

    def _check(self, key: Node | None, node: Node, *, is_inside: bool = False) -> None:
        """Check that a value is behind its key, or an item inside its list, and not an alias."""
        if key is None:
            return
        minimum = key.start_mark.index if is_inside else key.end_mark.index
        if node.start_mark.index < minimum or not isinstance(
            node, ScalarNode | MappingNode | SequenceNode
        ):
            raise CannotInsert


def _order(numbered: tuple[int, tuple[int, int, str]]) -> tuple[int, int]:
    """Sort edits by position; of two at one position, the first one stays first."""
    number, (start, _, _) = numbered
    return start, number
