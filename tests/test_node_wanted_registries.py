"""Tests for ``minreg.k3s.registries.selection``."""

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.registries.selection import (
    ChoiceInvalid,
    MirrorSelection,
    check_endpoint,
    check_path,
    check_registry,
    hosts_of,
    written,
)

HERE = check_endpoint("http://127.0.0.1:9080")
OTHER = check_endpoint("https://example.com:5000/v2")


class ChoiceTests(SynchronousTestCase):
    """Tests for ``Choice.document``."""

    def test_mirrors(self) -> None:
        """Each registry has the endpoints in their order, and no settings."""
        self.assertEqual(
            MirrorSelection(["docker.io", "quay.io"], [HERE, OTHER]).document(),
            {
                "mirrors": {
                    name: {"endpoint": ["http://127.0.0.1:9080", "https://example.com:5000"]}
                    for name in ("docker.io", "quay.io")
                }
            },
        )

    def test_settings(self) -> None:
        """Settings stand under the endpoint's host and port, and only where they are of use."""
        document = MirrorSelection(
            ["quay.io"], [HERE, OTHER], {"ca_file": "/ca.pem"}, {"username": "u", "password": "p"}
        ).document()
        self.assertEqual(
            document["configs"],
            {
                "example.com:5000": {
                    "auth": {"username": "u", "password": "p"},
                    "tls": {"ca_file": "/ca.pem"},
                }
            },
        )

    def test_settings_for_nothing(self) -> None:
        """Settings that no endpoint is there for are refused: they would do nothing."""
        for choice, fix in (
            (
                MirrorSelection(["quay.io"], [HERE], tls={"ca_file": "/ca.pem"}),
                "name the https:// one",
            ),
            (
                MirrorSelection(["quay.io"], [HERE], auth={"username": "u"}),
                "one on another machine",
            ),
        ):
            error = self.assertRaises(ChoiceInvalid, choice.document)
            self.assertIn(fix, str(error))

    def test_registry_itself(self) -> None:
        """A registry that is an endpoint as well is not made a mirror of itself."""
        document = MirrorSelection(["example.com:5000", "quay.io"], [HERE, OTHER]).document()
        self.assertEqual(
            document["mirrors"],
            {
                "example.com:5000": {"endpoint": ["http://127.0.0.1:9080"]},
                "quay.io": {"endpoint": ["http://127.0.0.1:9080", "https://example.com:5000"]},
            },
        )
        document = MirrorSelection(["example.com:5000"], [OTHER]).document()
        self.assertEqual(document, {"mirrors": {}})


class CheckTests(SynchronousTestCase):
    """Tests for what is checked of a command line."""

    def assert_refused(self, check: Callable[[str], object], text: str, fix: str) -> None:
        """Check that something is refused, and the mend."""
        error = self.assertRaises(ChoiceInvalid, check, text)
        self.assertIn(fix, str(error))

    def test_endpoints(self) -> None:
        """Endpoints of all kinds are written as short as may be."""
        for text, expected in (
            ("http://127.0.0.1:9080/", "http://127.0.0.1:9080"),
            ("https://example.com/v2", "https://example.com"),
            ("https://example.com/a/v2", "https://example.com/a/v2"),
            ("http://[fd00::1]:9080", "http://[fd00::1]:9080"),
        ):
            self.assertEqual(written(check_endpoint(text)), expected)

    def test_wrong_endpoints(self) -> None:
        """What K3s would take in another way, or not at all, is refused."""
        for text, fix in (
            ("127.0.0.1:9080", "write which"),
            ("ftp://example.com", "write which"),
            ("http://", "write http://HOST:PORT"),
            ("http://:9080", "write http://HOST:PORT"),
            ("http://a b", "write https://HOST"),
            ("http://u:p@example.com", "see --username"),
            ("http://example.com?a", "leave ?a off"),
        ):
            self.assert_refused(check_endpoint, text, fix)

    def test_registries(self) -> None:
        """A registry is a host as in an image's name."""
        for text in ("docker.io", "example.com:5000", "localhost", "[::1]:5000"):
            self.assertEqual(check_registry(text), text)
        for text in ("https://docker.io", "docker.io/rancher", "rancher", "*", ""):
            self.assert_refused(check_registry, text, "without https:// and without a path")

    def test_paths(self) -> None:
        """A path for K3s does not depend on where this command was run."""
        self.assertEqual(check_path("/ca.pem", "--ca-file"), "/ca.pem")
        error = self.assertRaises(ChoiceInvalid, check_path, "ca.pem", "--ca-file")
        self.assertIn("--ca-file ca.pem must be a whole path", str(error))


class HostsOfTests(SynchronousTestCase):
    """Tests for ``hosts_of``."""

    def test_hosts(self) -> None:
        """Hosts are what the names of a tree's repositories begin with, if they do."""
        places = ["quay.io/a", "localhost:5000/b", "quay.io/c/d", "rancher/pause", "busybox"]
        self.assertEqual(hosts_of(places), (["localhost:5000", "quay.io"], True))
        self.assertEqual(hosts_of(["quay.io/a"]), (["quay.io"], False))
        self.assertEqual(hosts_of([]), ([], False))
