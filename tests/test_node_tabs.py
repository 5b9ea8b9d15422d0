"""Tests for ``minreg.k3s.yaml_reader``: tabs where K3s' reader allows them.

Whether yaml.v2 2.4.0, which K3s uses, accepts each of these files was tried.
"""

import yaml
from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s import yaml_reader
from minreg.k3s.registries.merge import merge
from minreg.k3s.registries.registries_yaml import read_registries
from minreg.k3s.registries.yaml_writer import make_mirrors
from minreg.k3s.yaml_reader import Position, YamlInvalid, compose_documents

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
    """Tests for files with tabs."""

    def test_between_values(self) -> None:
        """A tab may separate values."""
        registries, diagnostics = read_registries(_FILE.encode())
        self.assertEqual(diagnostics, [])
        first, second = registries.mirrors.values()
        self.assertEqual(
            [endpoint.text for endpoint in (*first.endpoints, *second.endpoints)],
            ["http://127.0.0.1:9080", "http://b.example", "http://a.example"],
        )
        self.assertEqual(second.endpoints[0].position, Position(7, 17))

    def test_merged(self) -> None:
        """Merging into such a file keeps its tabs."""
        merged = merge(_FILE.encode(), make_mirrors(["c.example"], ["http://127.0.0.1:9080"]))
        self.assertTrue(merged.text.startswith(_FILE.partition("  boot")[0]))
        for line in _FILE.splitlines():
            self.assertIn(line, merged.text.splitlines())
        merged = merge(b"mirrors:\n  a.example:\t\n", make_mirrors(["a.example"], ["http://b"]))
        self.assertEqual(
            merged.text, 'mirrors:\n  a.example:\t\n    endpoint:\n      - "http://b"\n'
        )

    def test_accepted(self) -> None:
        """Tabs within texts and comments stay, others are skipped."""
        for text, values in (
            ('a: "b\tc\\"\td"\n', ["a", 'b\tc"\td']),
            ("a: 'b\tc''\td'\n", ["a", "b\tc'\td"]),
            ("a: 'b\n\tc\td'\n", ["a", "b c\td"]),
            ("# it's\ta\n", []),
            ("it's:\tb\t# c's\n", ["it's", "b"]),
            ("'a'\t:\tb\n", ["a", "b"]),
        ):
            read = [
                node.value
                for root in compose_documents(text)
                for pair in root.value
                for node in pair
            ]
            self.assertEqual(read, values, text)

    def test_refused(self) -> None:
        """A tab may not indent, nor separate an indicator from a block collection."""
        for text in ("a:\n\tb:\n", "a:\n \t- b\n", "-\ta\n", "- \tb: c\n", "?\ta\n"):
            with self.assertRaises(YamlInvalid, msg=text):
                list(compose_documents(text))

    def test_without_libyaml(self) -> None:
        """PyYAML's own parser refuses tabs, and some of its errors have no position."""
        self.patch(yaml_reader, "_LOADER", yaml.SafeLoader)
        registries, _ = read_registries(b"mirrors:\n  a: {endpoint: [b]}\n")
        self.assertEqual([endpoint.text for endpoint in registries.mirrors["a"].endpoints], ["b"])
        for content, line in ((_FILE.encode(), 1), (b'\na: "\\U99999999"\n', 1)):
            _, (diagnostic,) = read_registries(content)
            self.assertEqual((diagnostic.rule, diagnostic.position.line), ("syntax", line))
