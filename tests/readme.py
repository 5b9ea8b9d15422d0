"""Reads the commands in README and the guides."""

import os

TOP = os.path.dirname(os.path.dirname(__file__))


def read_guide(path: str) -> str:
    """Return the text of a guide, whose path is relative to the top of the repository."""
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


def read_command(name: str) -> str:
    """Return the lines of the fenced block that follows ``<!-- name command -->``.

    Args:
        name: The word in the marker.
    """
    _, marker, rest = read_guide("README.md").partition(f"<!-- {name} command -->\n")
    before, _, rest = rest.partition("```\n")
    block, end, _ = rest.partition("```")
    assert marker, name
    assert end, name
    assert not before.strip(), name
    return "\n".join(line.strip() for line in block.splitlines()).strip()
