"""Tests for ``minreg.k3s.doctor.probe``."""

import attrs

from minreg.defaults import DEFAULT_ROOT
from minreg.k3s.doctor.findings import Finding
from minreg.k3s.doctor.image_resolution import resolve_images
from minreg.k3s.doctor.probe import Reply, ask, check_registry
from tests.doctor_support import RulesTestCase

_SOCKET = "/etc/systemd/system/minreg.socket"
_BASE = "http://127.0.0.1:9080/v2/"
_PAUSE = (
    "http://127.0.0.1:9080/v2/rancher/mirrored-pause/manifests/3.6?ns=bootstrap-registry.airgap"
)
_HERE = Reply(200, "minreg/1.0")


class AskingTests(RulesTestCase):
    """Tests for ``check_registry``, with a registry that a test decides about."""

    def setUp(self) -> None:
        """Have a registry that is as it should be."""
        super().setUp()
        node = self.node.look()
        (answer,) = resolve_images(node, node.setups[0])
        assert answer.served is not None
        self.digest = str(answer.served.digest)
        self.replies = {_BASE: _HERE, _PAUSE: attrs.evolve(_HERE, digest=self.digest)}
        self.asked: list[str] = []

    def ask(self, url: str) -> Reply:
        """Answer as the test wants."""
        self.asked.append(url)
        return self.replies[url]

    def found(self) -> list[Finding]:
        """Ask the registry about all that the node wants."""
        node = self.node.look()
        return list(check_registry(node, resolve_images(node, node.setups[0]), self.ask))

    def test_healthy(self) -> None:
        """A registry that serves the tree is asked once for each image."""
        self.assertEqual(self.found(), [])
        self.assertEqual(self.asked, [_BASE, _PAUSE])

    def test_rule_registry_silent(self) -> None:
        """One that does not answer is asked no more."""
        self.replies[_BASE] = Reply(failure="[Errno 111] Connection refused")
        (found,) = self.found()
        self.assertEqual(
            (found.rule.id, found.path, found.problem, found.fix),
            (
                "registry-silent",
                _SOCKET,
                "http://127.0.0.1:9080 does not respond: [Errno 111] Connection refused",
                "systemctl status minreg.socket minreg.service",
            ),
        )
        self.assertEqual(self.asked, [_BASE])

    def test_no_port(self) -> None:
        """An invalid address is a failure, not an exception."""
        for url in ("http://127.0.0.1:http/v2/", "https://[vsock::1]:1/", "http://a b:1/"):
            self.assertTrue(ask(url).failure, url)

    def test_another(self) -> None:
        """What answers in its place is no minreg."""
        self.replies[_BASE] = Reply(404, "nginx/1.22")
        (found,) = self.found()
        self.assertEqual(
            (found.rule.id, found.problem, found.fix),
            (
                "port-taken",
                "another program responds at http://127.0.0.1:9080: nginx/1.22",
                "stop that program, or let minreg listen on another port",
            ),
        )

    def test_rule_registry_differs(self) -> None:
        """One that serves another tree says so by its digests, or by having nothing."""
        fix = "systemctl restart minreg; it serves the directory that existed when it started"
        image = "bootstrap-registry.airgap/rancher/mirrored-pause:3.6"
        for reply, response in (
            (Reply(200, "minreg/1.0", "sha256:00"), f"serves sha256:00 as {image}"),
            (Reply(404, "minreg/1.0"), f"does not serve {image} (status 404)"),
            (Reply(failure="timed out"), f"does not serve {image} (timed out)"),
        ):
            self.replies[_PAUSE] = reply
            (found,) = self.found()
            self.assertEqual(
                (found.rule.id, found.path, found.problem, found.fix),
                (
                    "registry-differs",
                    DEFAULT_ROOT,
                    f"the running registry {response}, but the tree has {self.digest}",
                    fix,
                ),
            )
