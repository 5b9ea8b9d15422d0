"""Tests for ``minreg.text``."""

import json

from twisted.trial.unittest import SynchronousTestCase

from minreg.text import (
    TextInvalid,
    count,
    decode_text,
    describe_json_error,
    format_size,
    name_some,
    printable,
)


class SizeTests(SynchronousTestCase):
    """Tests for ``format_size`` and ``count``."""

    def test_sizes(self) -> None:
        """The unit depends on the size."""
        for size, text in {
            0: "0 B",
            999: "999 B",
            1000: "1.0 kB",
            182_300_000: "182.3 MB",
        }.items():
            self.assertEqual(format_size(size), text)
        self.assertEqual(format_size(5_000_000_000_000_000), "5000.0 TB")

    def test_counts(self) -> None:
        """The noun is singular for one."""
        self.assertEqual([count(1, "blob"), count(0, "blob")], ["1 blob", "0 blobs"])


class NameSomeTests(SynchronousTestCase):
    """Tests for ``name_some``."""

    def test_some(self) -> None:
        """The most similar names come first, then the highest versions; others are counted."""
        self.assertEqual(name_some(["a"], "b"), "a")
        names = [f"v1.{number}" for number in range(10)] + ["x", "y"]
        self.assertEqual(name_some(names, "x", 2), "x, y and 10 more")
        self.assertEqual(name_some(["1.10", "1.9", "1.100"], "?"), "1.100, 1.10, 1.9")


class PrintableTests(SynchronousTestCase):
    """Tests for ``printable``."""

    def test_escapes(self) -> None:
        """Control characters are escaped; letters of all scripts are not."""
        self.assertEqual(printable("a\x1b[2J\r\nä\u2028"), r"a\x1b[2J\r\nä\u2028")

    def test_long(self) -> None:
        """A text that is too long is cut."""
        self.assertEqual(len(printable("x" * 10_000)), 4097)


class DecodeTests(SynchronousTestCase):
    """Tests for ``decode_text``."""

    def test_good(self) -> None:
        """A byte order mark is not part of the text."""
        self.assertEqual(decode_text(b"\xef\xbb\xbfa\r\n"), "a\r\n")
        self.assertEqual(decode_text(b"\xef\xbb\xbf"), "")
        self.assertEqual(decode_text(b"\xc3\xa9"), "é")

    def test_refused(self) -> None:
        """UTF-16 is named as such."""
        for content, reason in (
            (b"\xff\xfea\x00", "in UTF-16, not in UTF-8: save it as UTF-8"),
            (b"\xfe\xff\x00a", "in UTF-16, not in UTF-8: save it as UTF-8"),
            (b"a\xe9", "not UTF-8 (unexpected end of data)"),
        ):
            error = self.assertRaises(TextInvalid, decode_text, content)
            self.assertIn(reason, str(error))


class JSONErrorTests(SynchronousTestCase):
    """Tests for ``describe_json_error``."""

    def test_reasons(self) -> None:
        """Each reason is about the document, not about the program."""
        for content, reason in (
            (b"[" * 100_000, "it is nested too deeply"),
            (b"1" * 10_000, "a number has too many digits"),
            (b"\xff", "it is not UTF-8"),
            (b"{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ):
            try:
                json.loads(content.decode("utf-8"))
            except (ValueError, RecursionError) as error:
                self.assertEqual(describe_json_error(error), reason)
            else:
                self.fail(f"{content[:10]!r} was parsed")
