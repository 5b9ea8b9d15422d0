"""Writes the changes of findings as a patch, in the format of ``diff -u``.

A change is left out if ``patch`` could not apply it, or if K3s would read the changed file in
another way than intended; the operator then makes it by hand.
"""

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Self

import attrs
from yaml import MappingNode, Node, SequenceNode

from minreg.k3s.doctor.findings import Addition, Change, Edit, LineRemoval, Move
from minreg.k3s.doctor.node_files import MAX_FILE_BYTES, NodeFile, NodeFiles
from minreg.k3s.yaml_reader import Diagnostic, YamlReader
from minreg.text import printable

_NOTHING = "/dev/null"


@attrs.frozen
class Patch:
    """The lines of a patch for ``patch -p1 -d /``, and the changes that are not in it."""

    lines: Sequence[str]
    left: frozenset[Change]


def make_patch(files: NodeFiles, changes: Sequence[Change]) -> Patch:
    """Make a patch of changes.

    Args:
        files: The files as they are now.
        changes: The changes; one that is listed twice is made once.
    """
    by_path: dict[str, list[Change]] = defaultdict(list)
    for change in dict.fromkeys(changes):
        by_path[change.path].append(change)
    lines: list[str] = []
    left: set[Change] = set()
    for path, of_file in sorted(by_path.items()):
        patch = _patch_file(files, path, of_file)
        lines += patch.lines
        left |= patch.left
    return Patch(lines, frozenset(left))


def _patch_file(files: NodeFiles, path: str, changes: Sequence[Change]) -> Patch:
    """Make the patch of one file."""
    file = files.read(path)
    nothing = Patch([], frozenset(changes))
    if path in files.unread or (file is not None and not _is_plain(file)):
        return nothing
    old = file.text.splitlines(keepends=True) if file is not None else []
    new, left = _apply(old, changes)
    if file is not None and _is_misread(old, new, changes):
        return nothing
    moves = [change for change in changes if isinstance(change, Move)]
    if moves:
        lines = [*_compare(path, old, _NOTHING, []), *_compare(_NOTHING, [], moves[0].target, new)]
    else:
        lines = list(_compare(path, old, path, new))
    is_shown = all(part == printable(part) for line in lines for part in line.split("\t"))
    return Patch(lines, frozenset(left)) if lines and is_shown else nothing


def _is_plain(file: NodeFile) -> bool:
    """Return whether a file was read completely, and has no line ends but line feeds."""
    lines = file.text.removesuffix("\n").split("\n") if file.text else []
    is_text = file.text.encode() == file.content and file.text.splitlines() == lines
    return is_text and len(file.content) <= MAX_FILE_BYTES


def _is_misread(old: Sequence[str], new: Sequence[str], changes: Sequence[Change]) -> bool:
    """Return whether valid YAML gets new diagnostics, or does not have the names of additions."""
    before, after = _Reading.of(old), _Reading.of(new)
    if any(diagnostic.is_fatal for diagnostic in before.diagnostics):
        return False
    added = [change.text for change in changes if isinstance(change, Addition)]
    names = {name for text in added for name in _Reading.of([text]).names}
    return not names <= after.names or bool(after.rules - before.rules)


@attrs.frozen
class _Reading:
    """YAML as K3s reads it: the names at its top level, and its diagnostics."""

    names: frozenset[str]
    diagnostics: Sequence[Diagnostic]

    @property
    def rules(self) -> Counter[str]:
        return Counter(diagnostic.rule for diagnostic in self.diagnostics)

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
    """Apply changes to lines; return the new lines, and the changes that could not be applied."""
    lines: list[str | None] = list(old)
    left: list[Change] = []
    edits = [change for change in changes if isinstance(change, Edit)]
    # From right to left, so that the columns of other edits stay valid.
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
