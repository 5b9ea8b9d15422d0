"""Tests for the doctor's rule about runtimes that are not K3s' own."""

from tests.doctor_support import RulesTestCase
from tests.nodes import CONFIG, REGISTRIES, SERVICE

_MEND = "remove this setting, or configure the mirrors in that runtime"


class RuntimeRuleTests(RulesTestCase):
    """Tests for ``check_runtime``."""

    def assert_told_of(self, name: str, place: str) -> None:
        """Check that it is found, as K3s starts with it."""
        self.node.restart_k3s()
        problem = (
            f"K3s is configured to use {name} instead of its own containerd: {REGISTRIES} has no "
            "effect"
        )
        self.assert_found(("other-runtime", place, problem, _MEND))

    def test_rule_other_runtime(self) -> None:
        """Another containerd does not read registries.yaml."""
        socket = "/run/containerd/containerd.sock"
        config = self.node.read(CONFIG)
        self.node.write(CONFIG, f"{config}container-runtime-endpoint: {socket}\n")
        self.assert_told_of(socket, f"{CONFIG}:3")
        self.node.write(CONFIG, config)
        option = f"--container-runtime-endpoint {socket}"
        self.node.replace(SERVICE, "=traefik'", f"=traefik' {option}")
        self.assert_told_of(socket, f"{SERVICE}:14")

    def test_docker(self) -> None:
        """Docker is reported, with or without a socket."""
        config = self.node.read(CONFIG)
        self.node.write(CONFIG, f"{config}docker: true\n")
        self.assert_told_of("docker", f"{CONFIG}:3")
        self.node.write(CONFIG, f"{config}container-runtime-endpoint: /d.sock\ndocker: true\n")
        self.assert_told_of("docker", f"{CONFIG}:4")

    def test_own(self) -> None:
        """A setting that is false, or a node without mirrors, is not reported."""
        config = self.node.read(CONFIG)
        self.node.write(CONFIG, f"{config}docker: false\n")
        self.node.restart_k3s()
        self.assert_nothing_found()
        self.node.write(CONFIG, "docker: true\n")
        self.node.remove(REGISTRIES)
        self.node.restart_k3s()
        self.assertNotIn("other-runtime", [found.rule.id for found in self.node.diagnose()])
