"""Shows what findings would have changed in files, as ``diff -u`` does; nothing is written."""

import difflib
from collections import defaultdict
from collections.abc import Iterator, Sequence

from minreg.node.doctor.files import NodeFiles
from minreg.node.doctor.findings import Addition, Change, Edit, Move, Removal

_NOTHING = "/dev/null"


def show_changes(files: NodeFiles, changes: Sequence[Change]) -> Iterator[str]:
    """Write the difference for each file that changes, as ``patch -p1 -d /`` takes it.

    Args:
        files: The files as they are.
        changes: What is to be changed; what is there twice is changed once.
    """
    by_path: dict[str, list[Change]] = defaultdict(list)
    for change in dict.fromkeys(changes):
        by_path[change.path].append(change)
    for path, wanted in sorted(by_path.items()):
        file = files.read(path)
        old = file.text.splitlines(keepends=True) if file is not None else []
        new = _apply(old, wanted)
        moves = [change for change in wanted if isinstance(change, Move)]
        if not moves:
            yield from _compare(path, old, path, new)
        for move in moves[:1]:
            yield from _compare(path, old, _NOTHING, [])
            yield from _compare(_NOTHING, [], move.target, new)


def _apply(old: Sequence[str], changes: Sequence[Change]) -> list[str]:
    lines: list[str | None] = list(old)
    edits = [change for change in changes if isinstance(change, Edit)]
    # From right to left, so that columns stay what they were.
    for edit in sorted(edits, key=lambda edit: edit.place, reverse=True):
        number = edit.place.line - 1
        line = lines[number] if number < len(lines) else None
        start = line.find(edit.old, edit.place.column - 1) if line is not None else -1
        if line is not None and start >= 0:
            lines[number] = line[:start] + edit.new + line[start + len(edit.old) :]
    for change in changes:
        if isinstance(change, Removal) and change.line <= len(lines):
            lines[change.line - 1] = None
    kept = [line for line in lines if line is not None]
    for change in changes:
        if isinstance(change, Addition):
            if kept and not kept[-1].endswith("\n"):
                kept[-1] += "\n"
            kept += change.text.splitlines(keepends=True)
    return kept


def _compare(old_path: str, old: list[str], new_path: str, new: list[str]) -> Iterator[str]:
    old_name = f"a{old_path}" if old and old_path != _NOTHING else _NOTHING
    new_name = f"b{new_path}" if new_path != _NOTHING else _NOTHING
    for line in difflib.unified_diff(old, new, old_name, new_name):
        if line.endswith("\n"):
            yield line.removesuffix("\n")
        else:
            yield line
            yield "\\ No newline at end of file"
