"""Tests for ``minreg.k3s.registries.yaml_reader``: tabs where YAML allows them."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.registries.file import read_registries
from minreg.k3s.registries.merge import merge
from minreg.k3s.registries.yaml_edit import make_mirrors
from minreg.k3s.registries.yaml_reader import Position, without_tabs

_FILE = """\
mirrors:\t
  bootstrap-registry.airgap:\t# ours
    endpoint:
      - "http://127.0.0.1:9080"\t# minreg
      - http://b.example\t# another
  a.example:
    endpoint:\t[\t"http://a.example"\t]\t
"""


class TabsTests(SynchronousTestCase):
    """Tests for ``without_tabs``, and for what reads through it."""

    def test_behind_content(self) -> None:
        """A tab behind something is a space, and all stays in its place."""
        registries, problems = read_registries(_FILE.encode())
        self.assertEqual(problems, [])
        first, second = registries.mirrors.values()
        self.assertEqual(
            [word.text for word in (*first.endpoints, *second.endpoints)],
            ["http://127.0.0.1:9080", "http://b.example", "http://a.example"],
        )
        self.assertEqual(second.endpoints[0].place, Position(7, 17))

    def test_merged(self) -> None:
        """Such a file can be added to, and keeps its tabs."""
        merged = merge(_FILE.encode(), make_mirrors(["c.example"], ["http://127.0.0.1:9080"]))
        self.assertTrue(merged.text.startswith(_FILE.partition("  boot")[0]))
        for line in _FILE.splitlines():
            self.assertIn(line, merged.text.splitlines())
        merged = merge(b"mirrors:\n  a.example:\t\n", make_mirrors(["a.example"], ["http://b"]))
        self.assertEqual(
            merged.text, 'mirrors:\n  a.example:\t\n    endpoint:\n      - "http://b"\n'
        )

    def test_kept(self) -> None:
        """A tab that indents stays what it is, as does one that is part of a text."""
        for text in (
            "a:\n\tb:\n",
            "a:\n \t- b\n",
            "-\ta\n- \tb: c\n",
            'a: "b\tc\\"\td"\n',
            "a: 'b\tc''\td'\n",
            "a: 'b\n\tc\td'\n",
            "# it's\ta\n",
        ):
            self.assertEqual(without_tabs(text), text)
        self.assertEqual(without_tabs("it's:\tb\t# c's\n"), "it's: b # c's\n")
