"""Formatting text for people: sizes, counts, and escaping of untrusted text."""

import codecs
import re
from collections.abc import Sequence
from json import JSONDecodeError

_DIGITS = re.compile(r"([0-9]+)")
_UNITS = ("B", "kB", "MB", "GB", "TB")


def format_size(size: int) -> str:
    """Return a number of bytes with a decimal unit, such as ``182.3 MB``."""
    power = min((len(str(size)) - 1) // 3, len(_UNITS) - 1)
    return f"{size / 1000**power:.1f} {_UNITS[power]}" if power else f"{size} B"


def count(number: int, thing: str, things: str = "") -> str:
    """Return a number with its noun in singular or plural: ``1 blob``, ``2 blobs``.

    Args:
        number: The number.
        thing: The noun in the singular.
        things: The noun in the plural, if that is not ``thing`` with an ``s``.
    """
    return f"{number} {thing if number == 1 else things or thing + 's'}"


def name_some(names: Sequence[str], near: str, most: int = 6) -> str:
    """Return some names of many: the most similar to ``near``, then the highest versions.

    Args:
        names: The names; not empty.
        near: The name that was not found.
        most: The number of names.
    """
    # The daemon does not need this until something is not found.
    from difflib import get_close_matches  # noqa: PLC0415

    last = sorted(names, key=_as_version, reverse=True)
    chosen = [*get_close_matches(near, names, n=most // 2, cutoff=0.5), *last]
    shown = list(dict.fromkeys(chosen))[:most]
    others = len(set(names)) - len(shown)
    return ", ".join(shown) + (f" and {others} more" if others else "")


def _as_version(name: str) -> list[str | int]:
    """Return a sort key by which ``1.9`` comes before ``1.10``."""
    return [
        int(part) if part.isascii() and part.isdigit() else part for part in _DIGITS.split(name)
    ]


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


class TextInvalid(ValueError):
    """A file is not UTF-8. The message continues a sentence: ``FILE is …``."""


def decode_text(content: bytes) -> str:
    """Decode the content of a text file, with or without a byte order mark.

    UTF-16 is refused and not decoded, because other programs that read the same file, such as
    K3s, do not read it either.

    Raises:
        TextInvalid: It is not UTF-8.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise TextInvalid(
            "in UTF-16, not in UTF-8: save it as UTF-8; in PowerShell, write it with "
            "'| Set-Content -Encoding utf8 FILE' instead of '> FILE'"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextInvalid(f"not UTF-8 ({error.reason}): it is not a text file in UTF-8") from None


def describe_json_error(error: ValueError | RecursionError) -> str:
    """Return why a document could not be parsed as JSON, in words for people.

    Python's own messages about its limits would name the program, not the document.
    """
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    # Python has no class for a number with too many digits; JSONDecodeError is for the syntax.
    if not isinstance(error, JSONDecodeError):
        return "a number has too many digits"
    return str(error)
