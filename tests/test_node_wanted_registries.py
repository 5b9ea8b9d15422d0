"""Tests for ``minreg.k3s.registries.selection``."""

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.registries.selection import (
    MirrorSelection,
    SelectionInvalid,
    check_endpoint,
    check_path,
    check_registry,
    list_hosts,
    shorten_endpoint,
)

HERE = check_endpoint("http://127.0.0.1:9080")
OTHER = check_endpoint("https://example.com:5000/v2")


class MirrorSelectionTests(SynchronousTestCase):
    """Tests for ``MirrorSelection.document``."""

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
        """Settings are written under the host and port of the endpoints that they apply to."""
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
        """Settings that apply to no endpoint are refused."""
        for selection, fix in (
            (
                MirrorSelection(["quay.io"], [HERE], tls={"ca_file": "/ca.pem"}),
                "name one that is https://",
            ),
            (
                MirrorSelection(["quay.io"], [HERE], auth={"username": "u"}),
                "name one on another machine",
            ),
        ):
            error = self.assertRaises(SelectionInvalid, selection.document)
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
    """Tests for the checks of command line values."""

    def assert_refused(self, check: Callable[[str], object], text: str, fix: str) -> None:
        """Check that a text is refused, and the fix in the message."""
        error = self.assertRaises(SelectionInvalid, check, text)
        self.assertIn(fix, str(error))

    def test_endpoints(self) -> None:
        """Endpoints are written without what K3s appends."""
        for text, expected in (
            ("http://127.0.0.1:9080/", "http://127.0.0.1:9080"),
            ("https://example.com/v2", "https://example.com"),
            ("https://example.com/a/v2", "https://example.com/a/v2"),
            ("http://[fd00::1]:9080", "http://[fd00::1]:9080"),
        ):
            self.assertEqual(shorten_endpoint(check_endpoint(text)), expected)

    def test_wrong_endpoints(self) -> None:
        """Endpoints that K3s would change or ignore are refused."""
        for text, fix in (
            ("127.0.0.1:9080", "write one of them"),
            ("ftp://example.com", "write one of them"),
            ("http://", "write http://HOST:PORT"),
            ("http://:9080", "write http://HOST:PORT"),
            ("http://a b", "write https://HOST"),
            ("http://u:p@example.com", "use --username"),
            ("http://example.com?a", "remove ?a"),
        ):
            self.assert_refused(check_endpoint, text, fix)

    def test_registries(self) -> None:
        """A registry is a host as in an image's name."""
        for text in ("docker.io", "example.com:5000", "localhost", "[::1]:5000"):
            self.assertEqual(check_registry(text), text)
        for text in ("https://docker.io", "docker.io/rancher", "rancher", "*", ""):
            self.assert_refused(check_registry, text, "without https:// and without a path")

    def test_paths(self) -> None:
        """A path must not depend on the working directory."""
        self.assertEqual(check_path("/ca.pem", "--ca-file"), "/ca.pem")
        error = self.assertRaises(SelectionInvalid, check_path, "ca.pem", "--ca-file")
        self.assertIn("--ca-file ca.pem is read by K3s: write an absolute path", str(error))


class ListHostsTests(SynchronousTestCase):
    """Tests for ``list_hosts``."""

    def test_hosts(self) -> None:
        """The first part of a repository's path is a host if it looks like one."""
        places = ["quay.io/a", "localhost:5000/b", "quay.io/c/d", "rancher/pause", "busybox"]
        self.assertEqual(list_hosts(places), (["localhost:5000", "quay.io"], True))
        self.assertEqual(list_hosts(["quay.io/a"]), (["quay.io"], False))
        self.assertEqual(list_hosts([]), ([], False))
