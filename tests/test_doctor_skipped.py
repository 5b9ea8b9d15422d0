"""Tests for the doctor with components that are not deployed because of a .skip file."""

from minreg.defaults import DEFAULT_ROOT
from tests.doctor_support import RulesTestCase
from tests.nodes import SERVICE

_MANIFESTS = "/var/lib/rancher/k3s/server/manifests"
_IMAGES = {
    "coredns.yaml": "mirrored-coredns-coredns:1",
    "local-storage.yaml": "local-path-provisioner:1",
    "metrics-server/metrics-server-deployment.yaml": "mirrored-metrics-server:1",
    "traefik.yaml": "mirrored-library-traefik:1",
}


class SkippedTests(RulesTestCase):
    """Tests for what is missing where a component is not deployed."""

    def find(self, image: str) -> list[str]:
        """Have a release need an image that is not there, and name what is found."""
        path = f"{DEFAULT_ROOT}/k3s/v1.33.4+k3s1.txt"
        self.node.write(path, f"docker.io/rancher/{image}\n")
        return [finding.rule.id for finding in self.node.diagnose()]

    def test_skipped(self) -> None:
        """A manifest beside which there is NAME.skip is not deployed, and pulls nothing."""
        self.node.replace(SERVICE, "'--disable=traefik'", "'--debug'")
        for manifest, image in _IMAGES.items():
            self.node.write(f"{_MANIFESTS}/{manifest}", "")
            self.assertEqual(self.find(image), ["images-missing"], manifest)
            self.node.write(f"{_MANIFESTS}/{manifest}.skip", "")
            self.assertEqual(self.find(image), [], manifest)
        self.assertEqual(self.find("klipper-lb:1"), ["images-missing"])
