"""Tests for ``minreg.k3s.registries.merge`` with files that nothing can be added to."""

from hypothesis import given
from hypothesis import strategies as st

from minreg.k3s.registries.merge import MergeRefused, merge
from minreg.k3s.registries.registries_yaml import read_registries
from tests.test_node_registries_merge import MINREG, WANTED, MergeTestCase


class RefusedTests(MergeTestCase):
    """Tests for files that nothing is added to."""

    def test_broken(self) -> None:
        """What K3s cannot read is shown, line by line, and not touched."""
        error = self.assertRaises(MergeRefused, merge, b"mirrors:\n\ta:\n", WANTED)
        assert isinstance(error, MergeRefused)
        ((rule, line),) = [(found.rule, found.position.line) for found in error.diagnostics]
        self.assertEqual((rule, line), ("tab", 2))

    def test_form(self) -> None:
        """Where what was added would not mean what it should, nothing is."""
        for text in (
            "configs:\n  a:\n...\n",
            "~\n",
            "mirrors:\n  docker.io: &x\n    endpoint: [a]\n  quay.io: *x\n",
            "mirrors:\n  docker.io:\n    endpoint: &x [a]\n  quay.io:\n    endpoint: *x\n",
            "x: &x {endpoint: [a]}\nmirrors:\n  docker.io:\n    <<: *x\n",
            "? mirrors\n: quay.io:\n    endpoint: [a]\n",
        ):
            error = self.assertRaises(MergeRefused, merge, text.encode(), WANTED)
            self.assertIn("of this form", str(error))

    @given(
        st.lists(
            st.sampled_from(
                [
                    *("mirrors:", "mirrors: {}", "mirrors: {docker.io: }", "mirrors: &a"),
                    *(
                        "  docker.io:",
                        "  docker.io: {}",
                        "  quay.io:",
                        "  '*': *a",
                        "  ? docker.io",
                    ),
                    *(
                        "    endpoint:",
                        "    endpoint: []",
                        "    endpoint: [a]",
                        "    rewrite: {a: b}",
                    ),
                    *(
                        "      - a",
                        "    - b",
                        "    - |",
                        "      # c",
                        "# d",
                        "",
                        "configs:",
                        "---",
                    ),
                    *("  a: {tls: {ca_file: /b}}", "{", "}", "...", "  <<: *a", "  docker.io: *a"),
                ]
            ),
            max_size=9,
        ),
        st.sampled_from(["\n", "\r\n"]),
    )
    def test_anything(self, lines: list[str], end: str) -> None:
        """A merge keeps all existing text and adds the mirror, or is refused."""
        text = end.join(lines)
        try:
            merged = self.merge(text)
        except MergeRefused:
            return
        registries, problems = read_registries(merged.text.encode())
        self.assertEqual([problem for problem in problems if problem.is_fatal], [])
        endpoints = [word.text for word in registries.mirrors["docker.io"].endpoints]
        self.assertTrue(MINREG in endpoints or any(note.is_left for note in merged.notes))
        rest = iter(merged.text)
        self.assertTrue(all(character in rest for character in text.replace("~", "")))
