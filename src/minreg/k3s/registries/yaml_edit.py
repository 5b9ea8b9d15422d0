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
    """What is to be added to stands elsewhere, behind an alias."""


@attrs.define
class Insertion:
    """Collects what is to be put into a text.

    Args:
        text: The text.
        root: What its first document is, None if it is empty.
    """

    _text: str
    _root: Node | None
    _edits: list[tuple[int, int, str]] = attrs.field(factory=list)

    @property
    def newline(self) -> str:
        """How lines end here."""
        return "\r\n" if "\r\n" in self._text else "\n"

    def apply(self, wanted: Document) -> str:
        """Add what is wanted and not there, and return the whole text.

        Args:
            wanted: Mappings, which add to those that are there, and whole lists, in which all
                that is there occurs in its order.

        Raises:
            CannotInsert: There is no place for it.
        """
        root = self._root
        if root is None or (is_null(root) and root.start_mark.index == root.end_mark.index):
            self._append(wanted, 0)
        else:
            self._extend(None, root, wanted)
        text = self._text
        # The last comes first, so that the places of the others stay what they are.
        for _, (start, end, addition) in sorted(enumerate(self._edits), key=_place, reverse=True):
            text = text[:start] + addition + text[end:]
        return text

    def _extend(self, key: Node | None, node: Node, wanted: _Value) -> None:
        if isinstance(node, MappingNode) and isinstance(wanted, Mapping):
            self._extend_mapping(key, node, wanted)
        elif isinstance(node, SequenceNode) and isinstance(wanted, Sequence):
            self._extend_list(key, node, wanted)
        else:
            raise CannotInsert

    def _extend_mapping(self, key: Node | None, node: MappingNode, wanted: Document) -> None:
        there = {name.value: (name, value) for name, value in node.value}
        new: dict[str, _Value] = {}
        for name, part in wanted.items():
            if name not in there:
                new[name] = part
            elif is_null(there[name][1]):
                self._fill(*there[name], part, is_in_flow=bool(node.flow_style))
            else:
                self._extend(*there[name], part)
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

    def _extend_list(self, key: Node | None, node: SequenceNode, wanted: Sequence[str]) -> None:
        there = {item.value: item for item in node.value}
        after = None
        start = self._opening(key, node) if node.flow_style else 0
        for item in wanted:
            if item in there:
                after = there[item]
                self._check(node, after, is_inside=True)
            elif not node.flow_style:
                self._check(key, node)
                self._insert_below(after or key, [item], node.start_mark.column)
            elif after is not None:
                self._insert(after.end_mark.index, f", {flow(item)}")
            else:
                is_last = not there and item == wanted[-1]
                self._insert_first(start, flow(item), is_last=is_last)

    def _fill(self, key: Node, null: Node, part: _Value, *, is_in_flow: bool) -> None:
        """Give a key that has no value one."""
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
        """Insert lines below the one in which something ends."""
        end = self._text.find("\n", node.end_mark.index if node is not None else 0)
        lines = list(block(value, indent))
        if end < 0:
            self._insert(len(self._text), "".join(f"{self.newline}{line}" for line in lines))
        else:
            self._insert(end + 1, "".join(f"{line}{self.newline}" for line in lines))

    def _insert_first(self, index: int, text: str, *, is_last: bool) -> None:
        """Insert at the beginning of what is in flow style."""
        comma = "" if is_last else "," if self._text[index].isspace() else ", "
        self._insert(index, f"{text}{comma}")

    def _append(self, value: Document, indent: int) -> None:
        lines = "".join(f"{line}{self.newline}" for line in block(value, indent))
        is_whole = not self._text or self._text.endswith("\n")
        self._insert(len(self._text), lines if is_whole else f"{self.newline}{lines}")

    def _insert(self, index: int, text: str) -> None:
        self._edits.append((index, index, text))

    def _opening(self, key: Node | None, node: Node) -> int:
        """Find where the inside of a mapping or list in flow style begins."""
        self._check(key, node)
        opening = _OPENING.match(self._text, node.start_mark.index)
        if opening is None:
            raise CannotInsert
        return opening.end()

    def _check(self, key: Node | None, node: Node, *, is_inside: bool = False) -> None:
        """Make sure that a value stands behind its key, or an item in its list."""
        if key is None:
            return
        least = key.start_mark.index if is_inside else key.end_mark.index
        if node.start_mark.index < least or not isinstance(
            node, ScalarNode | MappingNode | SequenceNode
        ):
            raise CannotInsert


def _place(numbered: tuple[int, tuple[int, int, str]]) -> tuple[int, int]:
    """Where an edit goes; of two that go to one place, the earlier comes first."""
    number, (start, _, _) = numbered
    return start, number
