"""Tests for ``minreg.fill.upstream.auth``."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.upstream.auth import Challenge, parse_challenges


class ParseChallengesTests(SynchronousTestCase):
    """Tests for ``parse_challenges``."""

    def test_bearer(self) -> None:
        """Docker Hub's challenge is parsed, with its comma within quotes."""
        line = (
            'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",'
            'scope="repository:a/b:pull,push"'
        )
        parameters = {
            "realm": "https://auth.docker.io/token",
            "service": "registry.docker.io",
            "scope": "repository:a/b:pull,push",
        }
        self.assertEqual(parse_challenges([line]), [Challenge("bearer", parameters)])

    def test_names_in_any_case(self) -> None:
        """The names of schemes and parameters are not case-sensitive."""
        self.assertEqual(parse_challenges(["BASIC Realm=x"]), [Challenge("basic", {"realm": "x"})])

    def test_several(self) -> None:
        """A header can have several challenges, and a response several headers."""
        lines = ['Basic realm="a, b", Bearer realm="c" , scope=d', "Negotiate"]
        self.assertEqual(
            parse_challenges(lines),
            [
                Challenge("basic", {"realm": "a, b"}),
                Challenge("bearer", {"realm": "c", "scope": "d"}),
                Challenge("negotiate"),
            ],
        )

    def test_quoted_characters(self) -> None:
        """A backslash escapes the next character."""
        [challenge] = parse_challenges([r'Basic realm="a \"b\" \\c"'])
        self.assertEqual(challenge.parameters["realm"], r'a "b" \c')

    def test_long(self) -> None:
        """A header of the maximal length is parsed in linear time."""
        blanks = " " * 60_000
        for line in (f"Basic{blanks}=", f"Basic a{blanks}", f'Basic a="{blanks}', f"{blanks}="):
            parse_challenges([line] * 100)
        self.assertEqual(parse_challenges([f"Basic{blanks}a=b"]), [Challenge("basic", {"a": "b"})])

    @given(st.lists(st.text()))
    def test_anything(self, lines: list[str]) -> None:
        """No header raises an exception."""
        for challenge in parse_challenges(lines):
            self.assertEqual(challenge.scheme, challenge.scheme.lower())
