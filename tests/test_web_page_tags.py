"""Tests for ``minreg.web.pages.tags``."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.web.pages.tags import skip_to, sort_tags

TAGS = st.lists(
    st.from_regex(r"v?[0-9]{1,3}(\.[0-9]{1,3}){0,2}(-(rc|k3s)[0-9])?|[a-z]{1,3}", fullmatch=True),
    unique=True,
)


class SortTagsTests(SynchronousTestCase):
    """Tests for ``sort_tags`` and ``skip_to``."""

    def test_order(self) -> None:
        """The newest version comes first, and pre-releases after their release."""
        for ordered in (
            ["v1.10.0", "v1.9.2", "v1.9.1", "v1.1"],
            ["1.10", "1.9", "1.9-rc10", "1.9-rc2", "1.9-beta.1", "1.9-alpha", "1.8"],
            ["v1.33.4-k3s2", "v1.33.4-k3s1", "v1.33.4", "v1.33.4-rc1-k3s1", "v1.33.3-k3s9"],
            ["3.20", "3.9-alpine", "3.9", "3.9b1", "3.8"],
            ["1.36.1", "1.36", "edge", "latest", "sha256-abc"],
            ["20240902", "v3", "main"],
            ["1.10.1", "1.10.0", "1.10"],
            ["1.2-preview1", "1.1-prelude"],
            ["1.1-prelude", "1.1", "1.1-pre"],
        ):
            self.assertEqual(sort_tags(sorted(ordered)), ordered)

    def test_long_numbers(self) -> None:
        """A tag may consist of 128 digits."""
        self.assertEqual(sort_tags(["0", "9" * 128]), ["9" * 128, "0"])

    def test_skip(self) -> None:
        """A page begins after a tag, even if that was removed."""
        tags = sort_tags(["1.9", "1.10", "1.2", "a", "c"])
        self.assertEqual(skip_to(tags, ""), tags)
        self.assertEqual(skip_to(tags, "1.9"), ["1.2", "a", "c"])
        self.assertEqual(skip_to(tags, "1.8"), ["1.2", "a", "c"])
        self.assertEqual(skip_to(tags, "b"), ["c"])
        self.assertEqual(skip_to(tags, "\u0660\x00" * 100), [])
        self.assertEqual(skip_to(tags, "1.8\u00b2\u0662"), ["1.2", "a", "c"])

    @given(TAGS, st.text())
    def test_any(self, tags: list[str], after: str) -> None:
        """No tag is lost, and the pages are parts of the sorted list."""
        ordered = sort_tags(tags)
        self.assertEqual(sorted(ordered), sorted(tags))
        for number, tag in enumerate(ordered):
            self.assertEqual(skip_to(ordered, tag), ordered[number + 1 :])
        self.assertLessEqual(set(skip_to(ordered, after)), set(tags))
