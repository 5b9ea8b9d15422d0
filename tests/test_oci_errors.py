"""Tests for ``minreg.oci.errors``: the documents that clients get, as literals."""

import json

from twisted.trial.unittest import SynchronousTestCase

from minreg.oci import errors
from minreg.oci.errors import RegistryError


class RegistryErrorTests(SynchronousTestCase):
    """Tests for ``RegistryError``."""

    def test_document(self) -> None:
        """An error is the specification's error document, in ASCII."""
        error = RegistryError(404, "BLOB_UNKNOWN", "no \u00e9", {"digest": "d"})
        self.assertEqual(
            error.document(),
            b'{"errors": [{"code": "BLOB_UNKNOWN", "message": "no \\u00e9", '
            b'"detail": {"digest": "d"}}]}',
        )

    def test_document_without_detail(self) -> None:
        """Without details, no ``detail`` is sent."""
        self.assertEqual(
            RegistryError(400, "NAME_INVALID", "no").document(),
            b'{"errors": [{"code": "NAME_INVALID", "message": "no"}]}',
        )

    def test_raised(self) -> None:
        """It is an exception, whose text has the code and the message."""
        error = RegistryError(400, "NAME_INVALID", "no")
        raised = self.assertRaises(RegistryError, raise_it, error)
        self.assertIs(raised, error)
        self.assertEqual(str(raised), "NAME_INVALID: no")
        self.assertIsInstance(raised.__cause__, ValueError)


class ErrorCodeTests(SynchronousTestCase):
    """Tests for the code, the status and the message of each error."""

    def assert_refusal(
        self, error: RegistryError, status: int, code: str, message: str, detail: object = None
    ) -> None:
        """Compare the status and the document of an error."""
        self.assertEqual(error.status, status)
        expected = {"code": code, "message": message}
        listed = json.loads(error.document())["errors"]
        self.assertEqual(listed, [expected | ({"detail": detail} if detail else {})])

    def test_name_unknown(self) -> None:
        """A repository that does not exist."""
        self.assert_refusal(
            errors.name_unknown("a/b"),
            404,
            "NAME_UNKNOWN",
            "repository a/b is not in this registry",
            {"name": "a/b"},
        )

    def test_name_invalid(self) -> None:
        """A name that breaks its grammar."""
        self.assert_refusal(errors.name_invalid("why"), 400, "NAME_INVALID", "why")

    def test_manifest_unknown(self) -> None:
        """A manifest that does not exist."""
        self.assert_refusal(
            errors.manifest_unknown("why", {"reference": "t"}),
            404,
            "MANIFEST_UNKNOWN",
            "why",
            {"reference": "t"},
        )

    def test_blob_unknown(self) -> None:
        """A blob that does not exist."""
        self.assert_refusal(
            errors.blob_unknown("why", {"digest": "d"}),
            404,
            "BLOB_UNKNOWN",
            "why",
            {"digest": "d"},
        )

    def test_digest_invalid(self) -> None:
        """A digest that breaks its grammar."""
        self.assert_refusal(errors.digest_invalid("why"), 400, "DIGEST_INVALID", "why")

    def test_unsupported(self) -> None:
        """A method other than GET and HEAD."""
        self.assert_refusal(
            errors.unsupported("PUT"),
            405,
            "UNSUPPORTED",
            "this registry is read-only: it answers GET and HEAD, not PUT",
        )

    def test_not_an_endpoint(self) -> None:
        """A path that is not an endpoint."""
        self.assert_refusal(
            errors.not_an_endpoint(),
            404,
            "UNSUPPORTED",
            "this path is not an endpoint: the registry API begins at /v2/",
        )

    def test_page_invalid(self) -> None:
        """An invalid page."""
        self.assert_refusal(errors.page_invalid("why"), 400, "PAGINATION_NUMBER_INVALID", "why")

    def test_range_invalid(self) -> None:
        """A range after the end of the blob."""
        self.assert_refusal(
            errors.range_invalid(10),
            416,
            "RANGE_INVALID",
            "the range lies outside of the blob's 10 bytes",
            {"size": 10},
        )

    def test_size_invalid(self) -> None:
        """A request with a body."""
        self.assert_refusal(
            errors.size_invalid(9),
            413,
            "SIZE_INVALID",
            "this registry accepts no content: the request's body exceeds 9 bytes",
        )

    def test_unavailable(self) -> None:
        """A disk that does not respond."""
        self.assert_refusal(errors.unavailable("why"), 503, "UNAVAILABLE", "why")


def raise_it(error: RegistryError) -> None:
    """Raise an error from another one."""
    raise error from ValueError("the cause")
