"""Where something stands in a file, and what is wrong there."""

import attrs


@attrs.frozen(order=True)
class Place:
    """A line and a column, both counted from 1."""

    line: int
    column: int


NOWHERE = Place(0, 0)
"""For what stands in no file."""


@attrs.frozen
class Word:
    """A text, and where it stands. Words are equal by their text."""

    text: str
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class Problem:
    """Something that cannot be read as it stands, and the mend.

    ``rule`` names the kind of problem for programs. ``is_fatal`` says that K3s cannot read the
    file either, and does not start.
    """

    rule: str
    place: Place
    message: str
    is_fatal: bool = True
