"""README's commands, as a reader would paste them."""

import os

_README = os.path.join(os.path.dirname(os.path.dirname(__file__)), "README.md")


def read_command(name: str) -> str:
    """Give the lines of the fenced block that follows ``<!-- name command -->``.

    Args:
        name: The word in the marker.
    """
    with open(_README, encoding="utf-8") as file:
        _, marker, rest = file.read().partition(f"<!-- {name} command -->\n")
    before, _, rest = rest.partition("```\n")
    block, end, _ = rest.partition("```")
    assert marker, name
    assert end, name
    assert not before.strip(), name
    return "\n".join(line.strip() for line in block.splitlines()).strip()
