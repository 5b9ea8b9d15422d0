"""What a look at a node finds: which rule is broken, where, what comes of it, and the mend."""

from enum import Enum

import attrs

from minreg.k3s.yaml_reader import Position


class Severity(Enum):
    """How bad it is; the worst comes first."""

    ERROR = "error"
    """Images cannot be pulled, or K3s does not start."""

    WARNING = "warning"
    """It will fail or be slow some day, or does not do what its author meant."""

    ADVICE = "advice"
    """It works, and costs more than it need."""


@attrs.frozen
class Rule:
    """Something that holds on a node on which all is well.

    ``id`` names the rule for programs and in docs/node.md, ``title`` says what is wrong where
    it is broken.
    """

    id: str
    severity: Severity
    title: str


@attrs.frozen
class Edit:
    """A change within a line of a file: ``old``, at a place or behind it, becomes ``new``."""

    path: str
    position: Position
    old: str
    new: str


@attrs.frozen
class Addition:
    """Lines to be added at the end of a file that may not be there yet."""

    path: str
    text: str


@attrs.frozen
class LineRemoval:
    """A line to be taken out of a file."""

    path: str
    line: int


@attrs.frozen
class Move:
    """A file that belongs elsewhere."""

    path: str
    target: str


Change = Edit | Addition | LineRemoval | Move


@attrs.frozen
class Finding:
    """A rule that is broken.

    ``path`` is the file on the node, and ``line`` counts from 1, 0 where no line is meant.
    ``problem`` says what is there and what will happen, ``fix`` what to do about it;
    ``changes`` are as much of the mend as can be written down as changes of files.
    """

    rule: Rule
    path: str
    line: int
    problem: str
    fix: str
    changes: tuple[Change, ...] = ()

    @property
    def order(self) -> tuple[int, str, int, str]:
        """Its place among others: what is worst first, then by file and line."""
        severities = list(Severity)
        return severities.index(self.rule.severity), self.path, self.line, self.rule.id
