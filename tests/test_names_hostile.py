"""Tests for ``minreg.oci.names`` with hostile text."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.oci.names import (
    Digest,
    DigestInvalid,
    NameInvalid,
    is_host,
    is_repository,
    is_tag,
    parse_host,
    parse_reference,
)

HOSTILE = st.text(
    st.one_of(st.sampled_from("a0A./:_-+[]%\\\0\n\u212a\u017f@ "), st.characters()), max_size=300
)
"""Text that is more often than not close to a name."""


class HostileNameTests(SynchronousTestCase):
    """Tests that text which matches a grammar is harmless as a part of a path."""

    @settings(deadline=None, database=None)
    @given(HOSTILE)
    def test_repository(self, text: str) -> None:
        """A repository's name has no ``..``, is relative, and has only plain characters."""
        if is_repository(text):
            self.assertRegex(text, r"\A[a-z0-9._/-]{1,255}\Z")
            self.assertFalse({"", ".", ".."} & set(text.split("/")))

    @settings(deadline=None, database=None)
    @given(HOSTILE)
    def test_reference(self, text: str) -> None:
        """A tag or digest is one plain part of a path."""
        try:
            reference = str(parse_reference(text))
        except (NameInvalid, DigestInvalid):
            return
        self.assertRegex(reference, r"\A[A-Za-z0-9_][A-Za-z0-9._:-]{0,134}\Z")

    @settings(deadline=None, database=None)
    @given(HOSTILE)
    def test_host(self, text: str) -> None:
        """A host is one plain part of a path, and normalizing it again changes nothing."""
        try:
            host = parse_host(text)
        except NameInvalid:
            self.assertFalse(is_host(text))
            return
        self.assertRegex(host, r"\A[a-z0-9\[][a-z0-9.:\[\]-]{0,254}\Z")
        self.assertNotEqual(host.strip("."), "")
        self.assertEqual(parse_host(host), host)

    @settings(deadline=None, database=None)
    @given(HOSTILE)
    def test_tag(self, text: str) -> None:
        """A tag is never parsed as a digest, nor a digest as a tag."""
        if is_tag(text):
            self.assertEqual(parse_reference(text), text)
            self.assertRaises(DigestInvalid, Digest.parse, text)
