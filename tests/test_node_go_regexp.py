r"""Tests for ``minreg.k3s.registries.go_regexp``.

What is expected was computed by Go 1.26, ``regexp.MustCompile(pattern).ReplaceAllString``.
"""

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.registries.go_regexp import (
    PatternInvalid,
    PatternUnknown,
    compile_pattern,
    missing_groups,
    replace_all,
)

# Pattern, replacement, text, and what Go makes of it.
REPLACED = (
    (
        "^rancher/(.*)",
        "project/rancher-images/$1",
        "rancher/pause",
        "project/rancher-images/pause",
    ),
    ("^library/", "", "library/busybox", "busybox"),
    ("(.*)", "docker.io/$1", "library/busybox", "docker.io/library/busybox"),
    ("^(.*)$", "x/${1}y", "a", "x/ay"),
    ("^(.*)$", "x/$1y", "a", "x/"),
    ("^(.*)$", "$0$$1$2", "a", "a$1"),
    ("^(.*)$", "$01-${01}", "a", "-"),
    ("^(.*)$", "${1$ ${}", "a", "${1$ ${}"),
    ("(?P<n>b)|(?<m>c)", "$n/$m", "abc", "ab//c"),
    ("a*", "x", "baac", "xbxcx"),
    ("|a", "x", "aab", "xaxaxbx"),
    ("a*?", "-", "ab", "-a-b-"),
    ("(?i)^RAN", "x", "rancher", "xcher"),
    ("c(?i)H", "x", "rancher", "ranxer"),
    ("q|r(?i)A|N", "x", "rancher", "xxcher"),
    (r"\Qa.b\E", "x", "a.b/axb", "x/axb"),
    ("[[:alpha:]]+", "x", "a1/b", "x1/x"),
    ("[^[:alnum:]/]", "x", "a-b/c", "axb/c"),
    (r"[]\]a]", "x", "a]b", "xxb"),
    ("a{,1}", "x", "a{,1}", "x"),
    ("^+a", "x", "ab", "xb"),
    (r"\x{61}\x62", "x", "abc", "xc"),
    (r"a\z|\Ab", "x", "ba", "xx"),
)


class ReplaceAllTests(SynchronousTestCase):
    """Tests for ``compile_pattern`` and ``replace_all`` together."""

    def test_as_in_go(self) -> None:
        """Names are rewritten as Go does it."""
        for pattern, replacement, text, expected in REPLACED:
            found = replace_all(compile_pattern(pattern), replacement, text)
            self.assertEqual(found, expected, pattern)

    def test_invalid(self) -> None:
        """What Python takes and Go does not is refused."""
        for pattern in (
            "(",
            "(?=a)",
            "(?<!a)",
            r"(a)\1",
            "a*+",
            "a++",
            "a{2}+",
            "a{1001}",
            r"\Z",
            r"\x{ffffff}",
            r"[\x{ffffff}]",
            f"a{{{'9' * 5000}}}",
            f"a{{1,{'9' * 5000}}}",
            f"(?({'9' * 5000})a)",
        ):
            with self.assertRaises(PatternInvalid) as caught:
                compile_pattern(pattern)
            self.assertNotIsInstance(caught.exception, PatternUnknown)
        for pattern in ("[[:letter:]]", r"[\b]", r"[\Qa\E]"):
            self.assertRaises(PatternInvalid, compile_pattern, pattern)

    def test_unknown(self) -> None:
        """What only Go has is told apart from what it has not."""
        for pattern in (r"\pL", r"\P{Greek}", "(?U)a+", "(?-i:a)", "[[:^alpha:]]"):
            self.assertRaises(PatternUnknown, compile_pattern, pattern)

    @given(st.text("abx/()[]{}|*+?^$\\.-QEzdpP1,:<>=!imsU&~", max_size=12))
    def test_anything(self, pattern: str) -> None:
        """Whatever stands in a file, it is a pattern or is refused."""
        try:
            compiled = compile_pattern(pattern)
        except PatternInvalid:
            return
        self.assertIsInstance(replace_all(compiled, "$1", "a/b"), str)


class MissingGroupsTests(SynchronousTestCase):
    """Tests for ``missing_groups``."""

    def test_missing(self) -> None:
        """Groups that the pattern does not have are named as they were written."""
        pattern = compile_pattern("^(?P<name>a)")
        self.assertEqual(missing_groups(pattern, "$1 ${name} $0 $$2"), [])
        self.assertEqual(missing_groups(pattern, "$2/$1x/${other}"), ["$2", "$1x", "${other}"])
        self.assertEqual(missing_groups(re.compile("^rancher/.*"), "x/$1"), ["$1"])
