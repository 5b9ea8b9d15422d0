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
import sys

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
    | (?P<anchor>\\[zAbB]|[$^])
    | \\x\{(?P<code>[0-9A-Fa-f]{1,6})\}
    | (?P<unknown>\\[pPC]|\(\?[ims]*[U-][imsU-]*[:)]|\[:\^\w+:\])
    | (?P<foreign>\\[1-9EGZgkuLNZ]|\(\?[=!(>\#]|\(\?<[=!]|\(\?P[=>]|(?:[*+?]|\{\d+(?:,\d*)?\})\+)
    | (?P<flags>\(\?[ims]+\))
    | (?P<open>\(\?P?<(?P<name>\w+)>|\(\?[ims]*:|\((?!\?))
    | \[:(?P<class>\w+):\]
    | (?P<bracket>\[\^?)
    | \{(?P<repeat>\d+)(?:,(?P<most>\d*))?\}
    | (?P<escape>\\.)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ANCHORS = {"$": r"\Z", r"\z": r"\Z"}
_VARIABLE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_CLASS_ESCAPES = re.compile(r"\\(?:[dDsSwWnrtfvax0]|[^0-9A-Za-z])")
_MOST_REPEATS = 1000


class PatternInvalid(ValueError):
    """Go refuses this pattern; the message says why."""


class PatternUnknown(PatternInvalid):
    """Only Go itself can tell what this pattern matches; the message says why."""


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of Go.

    Raises:
        PatternInvalid: Go knows no such pattern.
        PatternUnknown: It is beyond this translation.
    """
    try:
        return re.compile(_translate(pattern), re.ASCII)
    except PatternInvalid:
        raise
    except (re.error, OverflowError, RecursionError, ValueError) as error:
        raise PatternInvalid(f"{pattern[:160]!r} is no regular expression: {error}") from None


def replace_all(pattern: re.Pattern[str], replacement: str, text: str) -> str:
    """Replace each match, as ``ReplaceAllString`` does."""
    pieces, copied, start = [], 0, 0
    while start <= len(text) and (match := pattern.search(text, start)):
        pieces.append(text[copied : match.start()])
        if match.end() > copied or match.start() == 0:
            pieces.append(_expand(replacement, match))
        copied = match.end()
        start = max(start + 1, copied)
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
        return match[int(name) if _NUMBER.fullmatch(name) else name] or ""

    return _VARIABLE.sub(value, replacement)


def _has_group(pattern: re.Pattern[str], name: str) -> bool:
    if _NUMBER.fullmatch(name):
        return int(name) <= pattern.groups
    return name in pattern.groupindex


def _translate(pattern: str) -> str:
    """Rewrite what differs, token by token."""
    pieces: list[str] = []
    flags = [""]
    in_class = False
    for token in _TOKEN.finditer(pattern):
        if token["unknown"]:
            raise PatternUnknown(f"{pattern[:160]!r} has {token[0]}, which only Go can tell about")
        if in_class:
            in_class = token[0] != "]" or pieces[-1] in {"[", "[^"}
            # Python keeps some pairs of characters for what sets may become one day.
            twice = pieces[-1] == token[0] == "-"
            pieces.append(r"\-" if twice else _in_class(token, pattern))
        elif token["foreign"] or _is_too_many(token):
            raise PatternInvalid(f"{pattern[:160]!r} has {token[0]}, which Go does not have")
        else:
            in_class = token[0] in {"[", "[^"}
            pieces.append(_outside(token, flags))
    return "".join([*pieces, *map(_closed, flags)])


def _outside(token: re.Match[str], flags: list[str]) -> str:
    """Translate what stands outside of classes.

    Python has flags for groups only. So ``(?i)`` opens a group, which ends where the one around
    it does, and at each ``|``, to be opened again; ``flags`` has what is open in each group.
    """
    text = token[0]
    if token["flags"]:
        opened = f"{text[:-1]}:"
        flags[-1] += opened
        return opened
    if text == "|":
        return f"{_closed(flags[-1])}|{flags[-1]}"
    if text == ")" and len(flags) > 1:
        return f"{_closed(flags.pop())})"
    if token["open"]:
        flags.append("")
        return f"(?P<{token['name']}>" if token["name"] else text
    return _atom(token)


def _atom(token: re.Match[str]) -> str:
    if token["quoted"] is not None:
        return re.escape(token["quoted"])
    if token["anchor"]:
        return f"(?:{_ANCHORS.get(token[0], token[0])})"
    if token["code"]:
        return _character(token)
    # Only {n}, {n,} and {n,m} repeat; Python would take {,m} as well.
    return r"\{" if token[0] == "{" else token[0]


def _character(token: re.Match[str]) -> str:
    code = int(token["code"], 16)
    if code > sys.maxunicode:
        raise PatternInvalid(f"{token[0]} is no character")
    return re.escape(chr(code))


def _closed(flags: str) -> str:
    return ")" * flags.count("(")


def _in_class(token: re.Match[str], pattern: str) -> str:
    """Translate what stands between brackets."""
    if token["class"]:
        if token["class"] not in _POSIX:
            raise PatternInvalid(f"{pattern[:160]!r} has {token[0]}, which Go does not have")
        return _POSIX[token["class"]]
    if token["code"]:
        return _character(token)
    if token[0].startswith("\\") and not _CLASS_ESCAPES.match(token[0]):
        raise PatternInvalid(f"{pattern[:160]!r} has {token[0]} in brackets, as Go has it not")
    return re.sub(r"[\[&~|]", r"\\\g<0>", token[0]) if token["escape"] is None else token[0]


def _is_too_many(token: re.Match[str]) -> bool:
    numbers = [(token[name] or "").lstrip("0") for name in ("repeat", "most")]
    longest = len(str(_MOST_REPEATS))
    return any(len(number) > longest or int(number or 0) > _MOST_REPEATS for number in numbers)
