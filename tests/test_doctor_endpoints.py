"""Tests for the doctor's rules about endpoints that lead nowhere."""

from tests.doctor_support import MIRRORS, RulesTestCase
from tests.nodes import REGISTRIES


class EndpointRulesTests(RulesTestCase):
    """Tests for ``check_endpoints`` with what K3s takes for an address and is none."""

    def assert_invalid(self, endpoint: str, problem: str, fix: str) -> None:
        """Put an item before a good endpoint, and check what is found about it."""
        self.set_registries(
            f"{MIRRORS}  docker.io:\n    endpoint:\n      - {endpoint}\n"
            "      - http://127.0.0.1:9080\n"
        )
        problem = f"{problem}: no registry is asked"
        self.assert_found(("endpoint-invalid", f"{REGISTRIES}:7", problem, fix))

    def test_slash(self) -> None:
        """Behind a scheme are two slashes, or it is a host."""
        for endpoint in ("http:/127.0.0.1:9080", "http:127.0.0.1:9080", "http/127.0.0.1:9080"):
            self.assert_invalid(
                endpoint,
                f"{endpoint} has the host http",
                "write http:// or https://, with both slashes",
            )

    def test_empty(self) -> None:
        """An item has something in it, and an address a host."""
        fix = "write http://HOST:PORT, or remove the line"
        for item in ("", '""'):
            self.assert_invalid(item, "this endpoint is empty", fix)
        for item in ("http:///v2", "/127.0.0.1:9080"):
            self.assert_invalid(item, f"{item} has no host", fix)
