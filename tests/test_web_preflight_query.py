"""Tests for the query of ``/minreg/preflight``."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.oci.errors import RegistryError
from minreg.web.status.preflight import parse_query_string


class ParseQueryStringTests(SynchronousTestCase):
    """Tests for ``parse_query_string``."""

    def reason(self, query: str) -> str:
        """Return the reason why a query is refused."""
        error = self.assertRaises(RegistryError, parse_query_string, query.encode("latin-1"))
        self.assertEqual((error.status, error.code), (400, "UNSUPPORTED"))
        return str(error.message)

    def test_refused(self) -> None:
        """Anything that may be a mistake is an error."""
        for query, reason in {
            "": "k3s is missing",
            "k3s": "k3s is missing",
            "k3s=a&k3s=b": "k3s is repeated: give it once",
            "k3s=a&platfrom=linux/arm64": "'platfrom' is unknown: use controller, disable, ",
            "k3s=a&deep": "'deep' is unknown: use ",
            "k3s=a&upgrade=maybe": "upgrade is invalid: use yes or no",
            "k3s=a&platform=": "'' is not a platform",
            "k3s=a&upgrade&controller=x/A": "'x/A' is not a repository",
            "k3s=a&kubectl=x/a:1": "controller and kubectl need upgrade=yes",
            "k3s=%ff": "the query is invalid: it must be UTF-8",
            "k3s=\xff": "the query is invalid: it must be UTF-8",
            "k3s=a" + "&disable=x" * 40: "at most 32 parameters",
        }.items():
            self.assertIn(reason, self.reason(query), query)

    @given(st.text(st.characters(max_codepoint=255), max_size=100))
    def test_anything(self, query: str) -> None:
        """Any query is parsed or refused."""
        try:
            parse_query_string(query.encode("latin-1"))
        except RegistryError as error:
            self.assertEqual(error.status, 400)
