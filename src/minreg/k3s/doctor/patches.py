"""Shows what findings would have changed in files, as ``diff -u`` does; nothing is written.

A change is only shown where the difference is sure to do what is meant: what cannot be put down
so that ``patch`` takes it, or would be read otherwise than meant, is left to people.
"""

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Self

import attrs
from yaml import MappingNode, Node, SequenceNode

from minreg.k3s.doctor.files import MOST_BYTES, NodeFile, NodeFiles
from minreg.k3s.doctor.findings import Addition, Change, Edit, LineRemoval, Move
from minreg.k3s.yaml_reader import Diagnostic, YamlReader
from minreg.text import printable

_NOTHING = "/dev/null"


@attrs.frozen
class Patch:
    """What is to be changed, as ``patch -p1 -d /`` takes it; ``left`` is not in it."""

    lines: Sequence[str]
    left: frozenset[Change]


def make_patch(files: NodeFiles, changes: Sequence[Change]) -> Patch:
    """Write the difference for each file that changes.

    Args:
        files: The files as they are.
        changes: What is to be changed; what is there twice is changed once.
    """
    by_path: dict[str, list[Change]] = defaultdict(list)
    for change in dict.fromkeys(changes):
        by_path[change.path].append(change)
    lines: list[str] = []
    left: set[Change] = set()
    for path, wanted in sorted(by_path.items()):
        of_file = _difference(files, path, wanted)
        lines += of_file.lines
        left |= of_file.left
    return Patch(lines, frozenset(left))


def _difference(files: NodeFiles, path: str, wanted: Sequence[Change]) -> Patch:
    file = files.read(path)
    nothing = Patch([], frozenset(wanted))
    if path in files.unread or (file is not None and not _is_plain(file)):
        return nothing
    old = file.text.splitlines(keepends=True) if file is not None else []
    new, left = _apply(old, wanted)
    if file is not None and _is_spoilt(old, new, wanted):
        return nothing
    moves = [change for change in wanted if isinstance(change, Move)]
    if moves:
        lines = [*_compare(path, old, _NOTHING, []), *_compare(_NOTHING, [], moves[0].target, new)]
    else:
        lines = list(_compare(path, old, path, new))
    is_shown = all(part == printable(part) for line in lines for part in line.split("\t"))
    return Patch(lines, frozenset(left)) if lines and is_shown else nothing


def _is_plain(file: NodeFile) -> bool:
    """Tell whether a file is whole, and is the same lines to all who count them."""
    lines = file.text.removesuffix("\n").split("\n") if file.text else []
    is_text = file.text.encode() == file.content and file.text.splitlines() == lines
    return is_text and len(file.content) <= MOST_BYTES


def _is_spoilt(old: Sequence[str], new: Sequence[str], wanted: Sequence[Change]) -> bool:
    """Tell whether YAML that could be read gets new problems, or does not get what was added."""
    before, after = _Reading.of(old), _Reading.of(new)
    if any(problem.is_fatal for problem in before.problems):
        return False
    added = [change.text for change in wanted if isinstance(change, Addition)]
    names = {name for text in added for name in _Reading.of([text]).names}
    return not names <= after.names or bool(after.rules - before.rules)


@attrs.frozen
class _Reading:
    """What K3s makes of YAML: the names at its top, and the problems in all of it."""

    names: frozenset[str]
    problems: Sequence[Diagnostic]

    @property
    def rules(self) -> Counter[str]:
        return Counter(problem.rule for problem in self.problems)

    @classmethod
    def of(cls, lines: Sequence[str]) -> Self:
        reader = YamlReader()
        root = reader.read("".join(lines).encode())
        nodes: list[Node] = [root] if root is not None else []
        names: list[str] = []
        while nodes:
            node = nodes.pop()
            if isinstance(node, MappingNode):
                pairs = list(reader.pairs(node, "the file"))
                names += [name.text for name, _ in pairs] if node is root else []
                nodes += [value for _, value in pairs]
            elif isinstance(node, SequenceNode):
                nodes += reader.items(node, "a list")
        return cls(frozenset(names), reader.diagnostics)


def _apply(old: Sequence[str], changes: Sequence[Change]) -> tuple[list[str], list[Change]]:
    """Change lines, and give also the changes that do not fit."""
    lines: list[str | None] = list(old)
    left: list[Change] = []
    edits = [change for change in changes if isinstance(change, Edit)]
    # From right to left, so that columns stay what they were.
    for edit in sorted(edits, key=lambda edit: edit.position, reverse=True):
        number = edit.position.line - 1
        line = lines[number] if number < len(lines) else None
        start = line.find(edit.old, edit.position.column - 1) if line is not None else -1
        if line is not None and start >= 0:
            lines[number] = line[:start] + edit.new + line[start + len(edit.old) :]
        else:
            left.append(edit)
    for change in changes:
        if isinstance(change, LineRemoval) and change.line <= len(lines):
            lines[change.line - 1] = None
    kept = [line for line in lines if line is not None]
    for change in changes:
        if isinstance(change, Addition):
            if kept and not kept[-1].endswith("\n"):
                kept[-1] += "\n"
            kept += change.text.splitlines(keepends=True)
    return kept, left


def _compare(old_path: str, old: list[str], new_path: str, new: list[str]) -> Iterator[str]:
    old_name = f"a{old_path}" if old and old_path != _NOTHING else _NOTHING
    new_name = f"b{new_path}" if new_path != _NOTHING else _NOTHING
    for line in difflib.unified_diff(old, new, old_name, new_name):
        if line.endswith("\n"):
            yield line.removesuffix("\n")
        else:
            yield line
            yield "\\ No newline at end of file"
