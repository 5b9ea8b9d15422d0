r"""Regular expressions of Go, which ``rewrite`` is written in, done with those of Python.

Sources: Go's ``regexp/syntax`` for patterns, ``regexp`` (``ReplaceAllString``, ``Expand``) for
replacements. What differs:

- ``$`` is the end of the text, not also before a last line feed; ``\z`` is its other name;
- ``\Q…\E`` quotes, ``[[:alpha:]]`` are classes, ``(?i)`` may come late, ``(?<name>…)`` names;
- Go has no looking around, no references back to groups, no possessive repeats;
- of matches of nothing, those that touch the match before are passed over;
- in replacements, ``$1x`` is the group called ``1x``, which there is not, and hence empty;
  ``${1}x`` is what was meant.
"""

import re

_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_TOKEN = re.compile(
    r"""
    \\Q(?P<quoted>.*?)(?:\\E|\Z)
    | (?P<end>\\z)
    | (?P<foreign>\\[Z1-9CgkpPux]|\(\?[=!(>\#]|\(\?<[=!]|\(\?P[=>]|[*+?}]\+)
    | (?P<flags>\(\?[ims]+\))
    | \(\?(?:P)?<(?P<name>\w+)>
    | (?P<posix>\[:(?P<negated>\^?)(?P<class>\w+):\])
    | (?P<escape>\\.)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_VARIABLE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})", re.ASCII)


class PatternInvalid(ValueError):
    """Go refuses this pattern, or only Go can tell what it matches; the message says why."""


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of Go.

    Raises:
        PatternInvalid: Go knows no such pattern, or it is beyond this translation.
    """
    try:
        return re.compile(_translate(pattern), re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternInvalid(f"{pattern[:160]!r} is no regular expression: {error}") from None


def replace_all(pattern: re.Pattern[str], replacement: str, text: str) -> str:
    """Replace each match, as ``ReplaceAllString`` does."""
    pieces, copied, last = [], 0, -1
    for match in pattern.finditer(text):
        if match.end() == match.start() == last:
            continue
        pieces.append(text[copied : match.start()] + _expand(replacement, match))
        copied = last = match.end()
    return "".join([*pieces, text[copied:]])


def missing_groups(pattern: re.Pattern[str], replacement: str) -> list[str]:
    """Name the groups that a replacement uses and the pattern does not have."""
    return [
        variable[0]
        for variable in _VARIABLE.finditer(replacement)
        if not variable[1] and not _has_group(pattern, variable[2] or variable[3])
    ]


def _expand(replacement: str, match: re.Match[str]) -> str:
    def value(variable: re.Match[str]) -> str:
        if variable[1]:
            return "$"
        name = variable[2] or variable[3]
        if not _has_group(match.re, name):
            return ""
        return match[int(name) if name.isdigit() else name] or ""

    return _VARIABLE.sub(value, replacement)


def _has_group(pattern: re.Pattern[str], name: str) -> bool:
    if name.isdigit() and len(name) < 9:
        return int(name) <= pattern.groups
    return name in pattern.groupindex


def _translate(pattern: str) -> str:
    """Rewrite what differs; a class of characters is passed through but for what lies in it."""
    pieces: list[str] = []
    closing = [""]
    in_class = False
    for token in _TOKEN.finditer(pattern):
        if token["foreign"] and not in_class:
            raise PatternInvalid(
                f"{pattern[:160]!r} has {token[0]}, which Go does not have, or not so"
            )
        if token["quoted"] is not None:
            pieces.append(re.escape(token["quoted"]))
        elif token["posix"] and in_class:
            pieces.append(_posix(token, pattern))
        elif in_class:
            in_class = token[0] != "]" or pieces[-1] in {"[", "[^"}
            pieces.append("\\[" if token[0] == "[" else token[0])
        elif token["end"] or token[0] == "$":
            pieces.append(r"\Z")
        elif token["flags"]:
            # Python has flags for groups only: it lasts until the group around it ends.
            pieces.append(f"(?{token['flags'][2:-1]}:")
            closing[-1] += ")"
        elif token["name"]:
            pieces.append(f"(?P<{token['name']}>")
            closing.append("")
        else:
            in_class = token[0] == "["
            pieces.append(_plain(token[0], closing))
    return "".join(pieces) + "".join(closing)


def _plain(piece: str, closing: list[str]) -> str:
    if piece == "(":
        closing.append("")
    elif piece == ")" and len(closing) > 1:
        return closing.pop() + piece
    return piece


def _posix(token: re.Match[str], pattern: str) -> str:
    if token["class"] not in _POSIX or token["negated"]:
        raise PatternInvalid(f"{pattern[:160]!r} has {token[0]}, which is beyond this program")
    return _POSIX[token["class"]]
