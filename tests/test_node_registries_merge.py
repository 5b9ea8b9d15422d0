"""Tests for ``minreg.k3s.registries.merge``: what people wrote stays, to the byte."""

from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.registries.merge import Merged, merge
from minreg.k3s.registries.yaml_writer import Document, make_mirrors

MINREG = "http://127.0.0.1:9080"
WANTED = make_mirrors(["docker.io"], [MINREG])
SETTINGS: Document = {"configs": {"example.com:5000": {"tls": {"ca_file": "/ca.pem"}}}}


class MergeTestCase(SynchronousTestCase):
    """A test that merges."""

    def merge(self, text: str, wanted: Document = WANTED) -> Merged:
        """Merge, and see that there is nothing more to be merged then."""
        merged = merge(text.encode(), wanted)
        again = merge(merged.text.encode(), wanted)
        self.assertEqual(again.text, merged.text)
        return merged

    def assert_merged(self, text: str, expected: str, wanted: Document = WANTED) -> None:
        """Compare the outcome, about which there is nothing to tell."""
        merged = self.merge(text, wanted)
        self.assertEqual((merged.text, merged.notes), (expected, []))


class BlockTests(MergeTestCase):
    """Tests for files with a line for each thing."""

    def test_everything(self) -> None:
        """Comments stay above what they stood above, and each list keeps its style."""
        self.assert_merged(
            "# ours\n"
            "mirrors:   # all of them\n"
            "  # Harbor\n"
            "  docker.io:  # the Hub\n"
            "    endpoint:\n"
            "    # first\n"
            "    - 'https://harbor.example'  # Harbor\n"
            "    # last\n"
            "\n"
            "# end",
            "# ours\n"
            "mirrors:   # all of them\n"
            "  quay.io:\n"
            "    endpoint:\n"
            '      - "http://127.0.0.1:9080"\n'
            "  # Harbor\n"
            "  docker.io:  # the Hub\n"
            "    endpoint:\n"
            '    - "http://127.0.0.1:9080"\n'
            "    # first\n"
            "    - 'https://harbor.example'  # Harbor\n"
            "    # last\n"
            "\n"
            "# end",
            make_mirrors(["docker.io", "quay.io"], [MINREG]),
        )

    def test_nothing_there(self) -> None:
        """A file without content gets all of it at its end."""
        addition = '  docker.io:\n    endpoint:\n      - "http://127.0.0.1:9080"\n'
        for text, line in (
            ("", "mirrors:\n"),
            ("# nothing", "\nmirrors:\n"),
            ("---\n# nothing\n", "mirrors:\n"),
            ("configs:\n  a:\n", "mirrors:\n"),
            ("mirrors: # none\n", ""),
        ):
            self.assert_merged(text, f"{text}{line}{addition}")
        self.assert_merged("mirrors:", f"mirrors:\n{addition}"[:-1])

    def test_empty_values(self) -> None:
        """A value that is missing, or null, is filled in."""
        endpoint = '    endpoint:\n      - "http://127.0.0.1:9080"\n'
        for text, expected in (
            ("mirrors: ~\n", f"mirrors: \n  docker.io:\n{endpoint}"),
            ("mirrors: &a\n", f"mirrors: &a\n  docker.io:\n{endpoint}"),
            ("mirrors:\n  docker.io:\n  a:\n", f"mirrors:\n  docker.io:\n{endpoint}  a:\n"),
            ("mirrors:\n  docker.io:\n    endpoint:\n", f"mirrors:\n  docker.io:\n{endpoint}"),
        ):
            self.assert_merged(text, expected)

    def test_settings(self) -> None:
        """Settings are added below those of others."""
        self.assert_merged(
            "configs:\n  a: {}\n",
            'configs:\n  "example.com:5000":\n    tls:\n      ca_file: "/ca.pem"\n  a: {}\n',
            SETTINGS,
        )

    def test_line_ends(self) -> None:
        """CRLF line ends and a byte order mark are kept, and new lines end with CRLF too."""
        self.assert_merged(
            "\ufeffmirrors:\r\n  docker.io:\r\n    endpoint:\r\n    - a\r\n",
            "\ufeffmirrors:\r\n  docker.io:\r\n    endpoint:\r\n"
            '    - "http://127.0.0.1:9080"\r\n    - a\r\n',
        )

    def test_byte_order_mark_only(self) -> None:
        """A file of just a byte-order mark is filled as an empty one, in UTF-8."""
        empty = merge(b"", WANTED).text
        self.assertEqual(merge(b"\xff\xfe", WANTED).text, empty)
        self.assertEqual(merge(b"\xef\xbb\xbf", WANTED).text, f"\ufeff{empty}")

    def test_order(self) -> None:
        """An endpoint is added before all others, or behind the one that it was named behind."""
        wanted = make_mirrors(["docker.io"], ["http://a", "http://b", "http://c"])
        self.assert_merged(
            "mirrors:\n  docker.io:\n    endpoint:\n    - x\n    - http://b/\n    - y\n",
            "mirrors:\n  docker.io:\n    endpoint:\n"
            '    - "http://a"\n    - x\n    - http://b/\n    - "http://c"\n    - y\n',
            wanted,
        )
        there = "mirrors:\n  docker.io:\n    endpoint: [http://c, http://a/v2, 'http://b/']\n"
        self.assert_merged(there, there, wanted)


class FlowTests(MergeTestCase):
    """Tests for files in flow style, JSON among them."""

    def test_flow(self) -> None:
        """What is in braces gets what is added into its braces."""
        for text, expected in (
            ("{}", '{"mirrors": {"docker.io": {"endpoint": ["http://127.0.0.1:9080"]}}}'),
            (
                "mirrors: {a: b} # c".replace("b", "{}"),
                'mirrors: {"docker.io": {"endpoint": ["http://127.0.0.1:9080"]}, a: {}} # c',
            ),
            (
                "mirrors: {docker.io: {endpoint: ['https://h']}}\n",
                "mirrors: {docker.io: {endpoint: [\"http://127.0.0.1:9080\", 'https://h']}}\n",
            ),
            (
                "mirrors: {docker.io: {endpoint: []}}",
                'mirrors: {docker.io: {endpoint: ["http://127.0.0.1:9080"]}}',
            ),
            (
                "mirrors: {docker.io: , a: }",
                'mirrors: {docker.io: {"endpoint": ["http://127.0.0.1:9080"]}, a: }',
            ),
            (
                "mirrors: {docker.io: {endpoint: [\n  a, # comment\n]}}",
                'mirrors: {docker.io: {endpoint: ["http://127.0.0.1:9080",\n  a, # comment\n]}}',
            ),
        ):
            self.assert_merged(text, expected)

    def test_order(self) -> None:
        """In brackets, too, an endpoint comes behind the one that it was named behind."""
        self.assert_merged(
            "mirrors: {docker.io: {endpoint: ['http://a', x]}}",
            "mirrors: {docker.io: {endpoint: ['http://a', \"http://b\", x]}}",
            make_mirrors(["docker.io"], ["http://a", "http://b"]),
        )


class NotesTests(MergeTestCase):
    """Tests for what is not simply added."""

    def notes(self, text: str, wanted: Document = WANTED) -> Mapping[int, tuple[str, bool]]:
        """Merge, and return what there is to know, by its line."""
        merged = self.merge(text, wanted)
        return {note.line: (note.message, note.is_left) for note in merged.notes}

    def test_rewrites(self) -> None:
        """Rewrites hold for all endpoints of a mirror: whether for minreg, only people know."""
        text = "mirrors:\n  docker.io:\n    endpoint: [a]\n    rewrite:\n      ^a: b\n"
        ((message, is_left),) = self.notes(text).values()
        self.assertIn("add http://127.0.0.1:9080 by hand", message)
        self.assertTrue(is_left)
        self.assertEqual(self.merge(text).text, text)

    def test_other_settings(self) -> None:
        """Existing settings are kept, with a note if they differ."""
        text = "configs:\n  example.com:5000:\n    tls: {ca_file: %s}\n"
        self.assertEqual(
            self.notes(text % "/other.pem", SETTINGS),
            {2: ("example.com:5000 already has other settings, which were kept", True)},
        )
        self.assertEqual(self.notes(text % "/ca.pem", SETTINGS), {})

    def test_wildcard(self) -> None:
        """A note says that the asterisk does not apply to a registry with its own entry."""
        text = 'mirrors:\n  "*": {endpoint: [a]}\n'
        message = '"*" no longer applies to docker.io, which now has an entry of its own'
        self.assertEqual(self.notes(text), {2: (message, False)})
        wildcard = make_mirrors(["*"], [MINREG])
        notes = self.notes("mirrors:\n  quay.io: {endpoint: [a]}\n", wildcard)
        self.assertEqual(
            notes, {2: ('"*" does not apply to quay.io, which has an entry of its own', False)}
        )
