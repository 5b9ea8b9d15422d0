"""Formatting text for people: sizes, counts, and text from elsewhere that must not do harm."""

_UNITS = ("B", "kB", "MB", "GB", "TB")


def format_size(size: int) -> str:
    """Return a number of bytes with a decimal unit, such as ``182.3 MB``."""
    value = float(size)
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            break
        value /= 1000
    return f"{size} B" if unit == "B" else f"{value:.1f} {unit}"


def count(number: int, thing: str) -> str:
    """Return a number with its noun in singular or plural: ``1 blob``, ``2 blobs``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def shorten(text: str, longest: int) -> str:
    """Return a text cut to ``longest`` characters, with an ellipsis if it was longer."""
    return text if len(text) <= longest else text[:longest] + "…"


def printable(text: str, longest: int = 4096) -> str:
    """Return a text without line breaks and terminal control characters, which are escaped.

    It is cut to ``longest`` characters.
    """
    text = shorten(text, longest)
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
