"""Tests for ``minreg.k3s.yaml_reader``: invalid and excessive YAML."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.registries.registries_yaml import read_registries
from minreg.k3s.yaml_reader import MAX_BYTES, Diagnostic, Position


class BrokenTests(SynchronousTestCase):
    """Tests for files that cannot be read."""

    def problem(self, content: bytes) -> Diagnostic:
        """Read a file with one thing wrong with it, which keeps K3s from starting."""
        _, (problem,) = read_registries(content)
        self.assertTrue(problem.is_fatal)
        return problem

    def test_tab(self) -> None:
        """A tab is shown with its line."""
        problem = self.problem(b"mirrors:\n\tdocker.io:\n")
        self.assertEqual((problem.rule, problem.position), ("tab", Position(2, 1)))
        self.assertIn("use spaces", problem.message)

    def test_asterisk(self) -> None:
        """A bare asterisk is an alias to YAML."""
        for content in (b"mirrors:\n  *:\n    endpoint: [a]\n", b"mirrors:\n  * :\n"):
            problem = self.problem(content)
            self.assertEqual((problem.rule, problem.position), ("unquoted-star", Position(2, 3)))
            self.assertIn('write "*":', problem.message)

    def test_no_yaml(self) -> None:
        """Other mistakes have the parser's message, with line and column."""
        for content, place in (
            (b"mirrors: a: b\n", Position(1, 11)),
            (b"mirrors: {\n", Position(2, 1)),
            (b"mirrors:\n  'a\n", Position(3, 1)),
            (b"mirrors: *a\n", Position(1, 10)),
            (b"mirrors:\n  docker.io\n    endpoint:\n", Position(3, 13)),
        ):
            problem = self.problem(content)
            self.assertEqual((problem.rule, problem.position), ("syntax", place), content)

    def test_version(self) -> None:
        """K3s' library takes files that say that they are YAML 1.1, and of no other version."""
        for head in (b"%YAML 1.2\n", b"\n# a\n%TAG ! b\n%YAML\t1.2 # c\n", b"%YAML 2.0\r\n"):
            problem = self.problem(head + b"---\nmirrors:\n")
            self.assertEqual(
                (problem.rule, problem.position), ("syntax", Position(head.count(b"\n"), 1))
            )
            self.assertIn("1.1", problem.message)
        for content in (b"%YAML 1.1\n---\nmirrors:\n", b"mirrors:\n# a\n---\n%YAML 1.2\n"):
            _, problems = read_registries(content)
            self.assertFalse(any(problem.is_fatal for problem in problems), content)

    def test_bytes(self) -> None:
        """Another encoding and control characters are refused."""
        for content, rule, place in (
            (b"mirrors:\n  a\xff:\n", "not-utf-8", Position(2, 4)),
            ("mirrors:".encode("utf-16"), "not-utf-8", Position(1, 1)),
            (b"mirrors:\n  \x00a:\n", "control-character", Position(2, 3)),
            (b"mirrors: \x1b[0m\n", "control-character", Position(1, 10)),
        ):
            problem = self.problem(content)
            self.assertEqual((problem.rule, problem.position), (rule, place))

    def test_too_much(self) -> None:
        """Nesting, aliases and size are limited."""
        many = b", ".join([b"a"] * 1000)
        copies = b"".join(b"  h%d: {endpoint: *l}\n" % number for number in range(1000))
        merges = b"".join(
            b"  h%d: &h%d {<<: [*h%d, *h%d]}\n" % (number, number, number - 1, number - 1)
            for number in range(1, 40)
        )
        for content, rule in (
            (b"#" * (MAX_BYTES + 1), "too-large"),
            (b"[" * 5000, "syntax"),
            (b"configs: {a: {tls: {ca_file: &l [" + many + b"]}}}", "wrong-type"),
            (b"mirrors: &a {<<: *a}", "too-deep"),
        ):
            self.assertEqual(self.problem(content).rule, rule)
        for content in (
            b"mirrors:\n  a: {endpoint: &l [" + many + b"]}\n" + copies,
            b"mirrors:\n  h0: &h0 {}\n" + merges,
        ):
            self.assertEqual(self.problem(content).rule, "too-large")

    def test_comments(self) -> None:
        """Comments in unusual positions are accepted."""
        registries, problems = read_registries(b"mirrors:\n  # b\n  > # c\n  x\n")
        self.assertEqual(
            (registries.mirrors, [one.rule for one in problems]), ({}, ["wrong-type"])
        )
        for content, rule in (
            (b"# a\n| # b\nx\n", "wrong-type"),
            (b": #c: ? \n|\n  \n#c\n&a }&a - ", "syntax"),
        ):
            self.assertEqual(self.problem(content).rule, rule)

    def test_no_warnings(self) -> None:
        """An anchor that is defined twice causes no warning."""
        read_registries(b"mirrors: {a: &x , b: &x }")
        self.assertEqual(self.flushWarnings(), [])

    @given(st.binary(max_size=60) | st.text("ab:-{}[]&*!|>'\"%@`#,? \t\n~<", max_size=40))
    def test_anything(self, content: bytes | str) -> None:
        """Any content is read without an exception."""
        read_registries(content if isinstance(content, bytes) else content.encode())
