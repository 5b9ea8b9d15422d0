"""Bytes and counts, for people."""

_UNITS = ("B", "kB", "MB", "GB", "TB")


def format_size(size: int) -> str:
    """Write a number of bytes with three or four digits: ``182.3 MB``."""
    value = float(size)
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            break
        value /= 1000
    return f"{size} B" if unit == "B" else f"{value:.1f} {unit}"


def count(number: int, thing: str) -> str:
    """Write a number of things: ``1 blob``, ``2 blobs``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
