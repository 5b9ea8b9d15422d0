"""Tests of the doctor with files from public issues, which are named after these.

``tests/public_issues/<repository>#<number>`` has files as they lie on a node, told again in our
own words and with invented names. The issues are those of k3s-io/k3s, rancher/rke2,
harvester/rancherd, rancher/cluster-api-provider-rke2, lablabs/ansible-role-rke2,
kairos-io/kairos and rpardini/docker-registry-proxy.
"""

import os
import shutil

from twisted.trial.unittest import SynchronousTestCase

from tests.nodes import NodeBuilder

_ISSUES = os.path.join(os.path.dirname(__file__), "public_issues")
_REGISTRIES = "registries.yaml"

# What is found, and in which line of which file. Where nothing is, the file was right.
_GOLDEN: dict[str, list[tuple[str, str, int]]] = {
    "k3s#1176": [("mirror-name", _REGISTRIES, 3), ("config-name", _REGISTRIES, 7)],
    "k3s#1713": [("endpoint-scheme", _REGISTRIES, 5)],
    "k3s#1802": [("unknown-key", _REGISTRIES, 6)],
    "k3s#2299": [("file-name", "registries.yml", 0)],
    "k3s#2839": [("file-name", "registry.yaml", 0)],
    "k3s#3134": [("containerd-template", "config.toml.tmpl", 0)],
    "k3s#4961": [],
    "k3s#5502": [("endpoint-path", _REGISTRIES, 5)],
    "k3s#8677": [("file-name", _REGISTRIES, 0)],
    "k3s#9026": [],
    "k3s#9322": [],
    "k3s#9626": [("endpoint-default", _REGISTRIES, 6)],
    "k3s#10056": [("embedded-registry", "config.yaml", 2)],
    "k3s#10135": [("unknown-key", _REGISTRIES, 7)],
    "k3s#10364": [("unit-line", "k3s.service", 9)],
    "k3s#11185": [("login-name", _REGISTRIES, 7)],
    "k3s#11191": [("rewrite-group", _REGISTRIES, 7)],
    "k3s#11352": [("login-name", _REGISTRIES, 7)],
    "k3s#11642": [("tls-on-http", _REGISTRIES, 7)],
    "k3s#11857": [],
    "k3s#12326": [("default-endpoint", "config.yaml", 0)],
    "k3s#12438": [
        ("config-name", _REGISTRIES, 3),
        ("login-invalid", _REGISTRIES, 5),
        ("login-invalid", _REGISTRIES, 8),
    ],
    "k3s#13215": [("endpoint-path", _REGISTRIES, 5), ("config-name", _REGISTRIES, 7)],
    "k3s#13255": [("mirror-name", _REGISTRIES, 3), ("config-name", _REGISTRIES, 7)],
    "k3s#13379": [("tls-on-http", _REGISTRIES, 7)],
    "rke2#741": [],
    "rke2#768": [("system-default-registry", "config.yaml", 1)],
    "rke2#1829": [
        ("endpoint-invalid", _REGISTRIES, 6),
        ("endpoint-other-registry", _REGISTRIES, 7),
    ],
    "rke2#3227": [("rewrite-syntax", _REGISTRIES, 8)],
    "rke2#4744": [("syntax", _REGISTRIES, 4)],
    "rke2#6889": [("endpoint-default", _REGISTRIES, 5)],
    "rke2#9439": [("config-name", _REGISTRIES, 10), ("config-name", _REGISTRIES, 13)],
    "rke2#10293": [("containerd-template", "config-v3.toml.tmpl", 0)],
    "rancherd#20": [("unknown-key", _REGISTRIES, line) for line in (2, 3, 4)],
    "cluster-api-provider-rke2#94": [("unknown-key", _REGISTRIES, 2)],
    "ansible-role-rke2#220": [("unquoted-star", _REGISTRIES, 3)],
    "ansible-role-rke2#311": [("syntax", _REGISTRIES, 6)],
    "kairos#3738": [("wrong-type", _REGISTRIES, 3), ("unknown-key", _REGISTRIES, 8)],
    "docker-registry-proxy#111": [("config-name", _REGISTRIES, 10)],
}


class PublicIssuesTests(SynchronousTestCase):
    """Tests for ``diagnose`` with what people had."""

    def test_issues(self) -> None:
        """Each file gets the right finding, and nothing else."""
        for issue, golden in _GOLDEN.items():
            self.assertEqual((issue, self.find(issue)), (issue, golden))

    def test_all(self) -> None:
        """No file is left out, and there are enough that are wrong."""
        self.assertEqual(sorted(os.listdir(_ISSUES)), sorted(_GOLDEN))
        self.assertGreaterEqual(len([golden for golden in _GOLDEN.values() if golden]), 20)

    def find(self, issue: str) -> list[tuple[str, str, int]]:
        """Put the files on a node that is otherwise healthy, and has no minreg."""
        node = NodeBuilder(self.mktemp())
        is_rke2 = os.path.isdir(os.path.join(_ISSUES, issue, "etc/rancher/rke2"))
        name = "rke2" if is_rke2 else "k3s"
        if not is_rke2:
            node.install_k3s()
        node.write(f"/etc/rancher/{name}/config.yaml", "disable-default-registry-endpoint: true\n")
        shutil.copytree(os.path.join(_ISSUES, issue), node.prefix, dirs_exist_ok=True)
        found = node.diagnose()
        return [(f.rule.id, os.path.basename(f.path), f.line) for f in found]
