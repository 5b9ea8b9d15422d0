"""Findings: which rule is broken, in which line of which file, and how to fix it."""

from enum import Enum

import attrs

from minreg.k3s.yaml_reader import Position


class Severity(Enum):
    """How bad a finding is; the worst comes first."""

    ERROR = "error"
    """Images cannot be pulled, or K3s does not start."""

    WARNING = "warning"
    """It will fail or be slow one day, or does something else than its author intended."""

    SUGGESTION = "suggestion"
    """It works, but takes more time or disk space than necessary. The exit status stays 0."""


@attrs.frozen
class Rule:
    """A rule that every node should follow.

    ``id`` names the rule for programs and in docs/node.md. ``title`` says in a few words what is
    wrong where the rule is broken.
    """

    id: str
    severity: Severity
    title: str


@attrs.frozen
class Edit:
    """A change within a line: the first ``old`` at or behind a position becomes ``new``."""

    path: str
    position: Position
    old: str
    new: str


@attrs.frozen
class Addition:
    """Lines to append to a file, which is created if it does not exist."""

    path: str
    text: str


@attrs.frozen
class LineRemoval:
    """A line to delete from a file."""

    path: str
    line: int


@attrs.frozen
class Move:
    """A file to rename."""

    path: str
    target: str


Change = Edit | Addition | LineRemoval | Move


@attrs.frozen
class Finding:
    """A broken rule.

    ``path`` is the file on the node; ``line`` counts from 1, and is 0 if the finding is not about
    a line. ``problem`` says what is wrong and what will happen, ``fix`` what to do about it.
    ``changes`` is the part of the fix that can be written as changes of files.
    """

    rule: Rule
    path: str
    line: int
    problem: str
    fix: str
    changes: tuple[Change, ...] = ()

    @property
    def order(self) -> tuple[int, str, int, str]:
        """The sort key: the worst first, then by file and line."""
        severities = list(Severity)
        return severities.index(self.rule.severity), self.path, self.line, self.rule.id
