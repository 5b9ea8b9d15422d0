"""Tests for ``minreg.text``."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.text import count, format_size, name_some, printable


class SizeTests(SynchronousTestCase):
    """Tests for ``format_size`` and ``count``."""

    def test_sizes(self) -> None:
        """Sizes have the unit that suits them."""
        for size, text in {
            0: "0 B",
            999: "999 B",
            1000: "1.0 kB",
            182_300_000: "182.3 MB",
        }.items():
            self.assertEqual(format_size(size), text)
        self.assertEqual(format_size(5_000_000_000_000_000), "5000.0 TB")

    def test_counts(self) -> None:
        """One is not many."""
        self.assertEqual([count(1, "blob"), count(0, "blob")], ["1 blob", "0 blobs"])


class NameSomeTests(SynchronousTestCase):
    """Tests for ``name_some``."""

    def test_some(self) -> None:
        """Names that are near come first, then the last ones; the others are counted."""
        self.assertEqual(name_some(["a"], "b"), "a")
        names = [f"v1.{number}" for number in range(10)] + ["x", "y"]
        self.assertEqual(name_some(names, "x", 2), "x, y and 10 more")
        self.assertEqual(name_some(["1.10", "1.9", "1.100"], "?"), "1.100, 1.10, 1.9")


class PrintableTests(SynchronousTestCase):
    """Tests for ``printable``."""

    def test_escapes(self) -> None:
        """Control characters are escaped, letters of all scripts are not."""
        self.assertEqual(printable("a\x1b[2J\r\nä\u2028"), r"a\x1b[2J\r\nä\u2028")

    def test_long(self) -> None:
        """What is too long for a line is cut."""
        self.assertEqual(len(printable("x" * 10_000)), 4097)
