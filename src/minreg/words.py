"""Text for people: bytes, counts, and what came from elsewhere made fit to be shown."""

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
