"""Text for people: bytes, counts, and what came from elsewhere made fit to be shown."""

import re
from collections.abc import Sequence

_DIGITS = re.compile(r"([0-9]+)")
_UNITS = ("B", "kB", "MB", "GB", "TB")


def format_size(size: int) -> str:
    """Write a number of bytes with three or four digits: ``182.3 MB``."""
    value = float(size)
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            break
        value /= 1000
    return f"{size} B" if unit == "B" else f"{value:.1f} {unit}"


def count(number: int, thing: str, things: str = "") -> str:
    """Write a number of things: ``1 blob``, ``2 blobs``.

    Args:
        number: How many.
        thing: What one is called.
        things: What several are called, if that is not ``thing`` and an ``s``.
    """
    return f"{number} {thing if number == 1 else things or thing + 's'}"


def name_some(names: Sequence[str], near: str, most: int = 6) -> str:
    """Name some of many: those like ``near`` first, then the last ones as versions go.

    Args:
        names: The names; not empty.
        near: What somebody was looking for.
        most: How many to name.
    """
    # The daemon has no use for this before somebody asks in vain.
    from difflib import get_close_matches  # noqa: PLC0415

    last = sorted(names, key=_as_version, reverse=True)
    chosen = [*get_close_matches(near, names, n=most // 2, cutoff=0.5), *last]
    shown = list(dict.fromkeys(chosen))[:most]
    others = len(set(names)) - len(shown)
    return ", ".join(shown) + (f" and {others} more" if others else "")


def _as_version(name: str) -> list[str | int]:
    """Return what sorts ``1.9`` before ``1.10``: texts and numbers, in turn."""
    return [
        int(part) if part.isascii() and part.isdigit() else part for part in _DIGITS.split(name)
    ]


def shorten(text: str, longest: int) -> str:
    """Cut a text to so many characters, and show that it was."""
    return text if len(text) <= longest else text[:longest] + "…"


def printable(text: str, longest: int = 4096) -> str:
    """Escape what would break a line, or do something to a terminal, and cut the length."""
    text = shorten(text, longest)
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
