r"""Go's regular expressions, in which the ``rewrite`` patterns of ``registries.yaml`` are written.

Patterns are compiled and matched by RE2 (google-re2), whose syntax Go has taken over
(https://pkg.go.dev/regexp/syntax). google-re2 has wheels for glibc on x86-64 and ARM 64 only, so
it is imported when the first pattern is compiled, and may be missing.

Two things stay here, because RE2 does them differently from Go's ``regexp`` package:

- Go's ``ReplaceAllString`` skips a match of the empty string that touches the match before it.
- In replacements, Go's ``Expand`` takes the longest name: ``$1x`` is the group called ``1x``, and
  empty if there is no such group; ``${1}x`` is group 1 and an x. RE2 writes ``\1``.
"""

import re
from importlib.util import find_spec
from typing import Any, Self

import attrs

_MAX_MEMORY = 128 << 20
"""Bytes of the largest program; Go's ``regexp/syntax`` has the same limit (``maxSize``)."""

# What RE2 1.1.20251105 accepts and Go 1.26 refuses, found by compiling the tests' patterns with
# both: a single byte, and repeat counts of nine digits and more, which RE2 takes for literal text.
_REFUSED_BY_GO = re.compile(
    r"(?<!\\)(?:\\\\)*(\\C|\{(?=[0-9,]*[0-9]{9})[0-9]+(?:,[0-9]*)?\})", re.ASCII
)
_VARIABLE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})", re.ASCII)
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)


class PatternInvalid(ValueError):
    """Go refuses this pattern; the message says why."""


class PatternNotChecked(Exception):
    """google-re2 is not installed, so what a pattern matches is not known."""


def can_check_patterns() -> bool:
    """Return whether google-re2 is installed."""
    return find_spec("re2") is not None


@attrs.frozen
class GoPattern:
    """A compiled pattern."""

    _compiled: Any  # google-re2 has no type annotations

    @classmethod
    def compile(cls, pattern: str) -> Self:
        """Compile a pattern.

        Raises:
            PatternInvalid: Go would refuse it.
            PatternNotChecked: google-re2 is not installed.
        """
        try:
            import re2  # noqa: PLC0415 - optional, see above
        except ImportError:
            raise PatternNotChecked from None
        refused = _REFUSED_BY_GO.search(pattern)
        if refused is not None:
            raise PatternInvalid(f"{pattern[:160]!r} has {refused[1][:160]}, which Go refuses")
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MAX_MEMORY
        try:
            return cls(re2.compile(pattern, options))
        except re2.error as error:
            reason = error.args[0].decode("utf-8", "replace")[:160]
            raise PatternInvalid(
                f"{pattern[:160]!r} is not a regular expression: {reason}"
            ) from None

    def matches(self, text: str) -> bool:
        """Return whether the pattern matches anywhere in ``text``."""
        return bool(self._compiled.search(text))

    def replace_all(self, replacement: str, text: str) -> str:
        """Replace each match in ``text``, as Go's ``ReplaceAllString`` does."""
        pieces, copied, start = [], 0, 0
        while start <= len(text) and (match := self._compiled.search(text, start)):
            pieces.append(text[copied : match.start()])
            if match.end() > copied or match.start() == 0:
                pieces.append(self._expand(replacement, match))
            copied = match.end()
            start = max(start + 1, copied)
        return "".join([*pieces, text[copied:]])

    def missing_groups(self, replacement: str) -> list[str]:
        """List the groups that a replacement uses and the pattern lacks, as they are written."""
        return [
            variable[0]
            for variable in _VARIABLE.finditer(replacement)
            if not variable[1] and not self._has_group(variable[2] or variable[3])
        ]

    def _expand(self, replacement: str, match: Any) -> str:
        def value(variable: re.Match[str]) -> str:
            if variable[1]:
                return "$"
            name = variable[2] or variable[3]
            if not self._has_group(name):
                return ""
            return match[int(name) if _NUMBER.fullmatch(name) else name] or ""

        return _VARIABLE.sub(value, replacement)

    def _has_group(self, name: str) -> bool:
        if _NUMBER.fullmatch(name):
            return bool(int(name) <= self._compiled.groups)
        return bool(name in self._compiled.groupindex)
