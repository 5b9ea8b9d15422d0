r"""Tests for ``minreg.k3s.registries.go_regexp``.

The expected results were computed by Go 1.26: ``regexp.MustCompile(pattern).ReplaceAllString``.
"""

import sys
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.registries.go_regexp import (
    GoPattern,
    PatternInvalid,
    PatternNotChecked,
    can_check_patterns,
)

# Pattern, replacement, text, and Go's result.
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
    (r"\pL+", "x", "a1é", "x1x"),
    (r"\P{Greek}", "x", "aω", "xω"),
    ("(?U)a+", "x", "aab", "xxb"),
    ("(?-i:A)|b", "x", "aAb", "axx"),
    ("[[:^alpha:]]", "x", "a1b", "axb"),
    ("a{999999999", "x", "a{999999999", "x"),
    (r"\\C", "x", r"a\C", "ax"),
)


class ReplaceAllTests(SynchronousTestCase):
    """Tests for ``GoPattern.compile`` and ``GoPattern.replace_all`` together."""

    def test_as_in_go(self) -> None:
        """Names are rewritten as Go rewrites them."""
        for pattern, replacement, text, expected in REPLACED:
            replaced = GoPattern.compile(pattern).replace_all(replacement, text)
            self.assertEqual(replaced, expected, pattern)

    def test_invalid(self) -> None:
        """What Go refuses is refused, and the message says why."""
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
            r"\C",
            r"\\\C",
            r"\x{ffffff}",
            r"[\x{ffffff}]",
            f"a{{{'9' * 5000}}}",
            f"a{{1,{'9' * 5000}}}",
            f"(?({'9' * 5000})a)",
            "[[:letter:]]",
            r"[\b]",
            r"[\Qa\E]",
            r"\p{Foo}",
        ):
            with self.assertRaises(PatternInvalid, msg=pattern) as caught:
                GoPattern.compile(pattern)
            self.assertNotIn("b'", str(caught.exception))

    def test_not_installed(self) -> None:
        """Without google-re2 nothing is said of a pattern."""
        self.assertTrue(can_check_patterns())
        with patch.dict(sys.modules, {"re2": None}):
            self.assertFalse(can_check_patterns())
            self.assertRaises(PatternNotChecked, GoPattern.compile, "a")

    @given(st.text("abx/()[]{}|*+?^$\\.-QEzdpP1,:<>=!imsUC&~é", max_size=12))
    def test_anything(self, pattern: str) -> None:
        """Any text is a pattern or is refused."""
        try:
            compiled = GoPattern.compile(pattern)
        except PatternInvalid:
            return
        self.assertIsInstance(compiled.replace_all("$1", "a/b"), str)


class MissingGroupsTests(SynchronousTestCase):
    """Tests for ``GoPattern.missing_groups``."""

    def test_missing(self) -> None:
        """Groups that the pattern lacks are listed as they are written."""
        pattern = GoPattern.compile("^(?P<name>a)")
        self.assertEqual(pattern.missing_groups("$1 ${name} $0 $$2"), [])
        self.assertEqual(pattern.missing_groups("$2/$1x/${other}"), ["$2", "$1x", "${other}"])
        self.assertEqual(GoPattern.compile("^rancher/.*").missing_groups("x/$1"), ["$1"])
