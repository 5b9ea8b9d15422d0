"""Tests for the doctor's rules about what an endpoint leads to."""

from minreg.defaults import DEFAULT_ROOT, SERVICE_UNIT, SOCKET_UNIT
from minreg.k3s.doctor.findings import Edit, LineRemoval
from minreg.k3s.yaml_reader import Position
from tests.doctor_support import MIRRORS, RulesTestCase
from tests.nodes import PAUSE, REGISTRIES
from tests.test_cli import run
from tests.test_doctor_mirrors import mirror, rewrite


class EndpointPathTests(RulesTestCase):
    """Tests for ``check_endpoint_paths``, a golden one first."""

    def test_rule_endpoint_path(self) -> None:
        """k3s-io/k3s#5502: a path replaces /v2, and minreg needs none."""
        self.set_registries(mirror("docker.io", "http://127.0.0.1:9080/docker.io"))
        self.assert_found(
            (
                "endpoint-path",
                f"{REGISTRIES}:7",
                (
                    "the path of http://127.0.0.1:9080/docker.io replaces /v2: containerd "
                    "requests /docker.io/NAME/manifests/TAG, and gets 404"
                ),
                "write http://127.0.0.1:9080: containerd tells minreg which registry it means",
            )
        )
        (found,) = self.node.diagnose()
        old = "http://127.0.0.1:9080/docker.io"
        edit = Edit(REGISTRIES, Position(7, 9), old, "http://127.0.0.1:9080")
        self.assertEqual(found.changes, (edit,))

    def test_v2_is_first(self) -> None:
        """For minreg, v2 begins the path; for others, it may be at any position."""
        for endpoint, is_found in (
            ("http://127.0.0.1:9080/docker.io/v2", True),
            ("http://127.0.0.1:9080/v2/", False),
            ("http://127.0.0.1:9080/v2", False),
            ("http://127.0.0.1:9080/", False),
            ("https://a.example/artifactory/api/docker/hub/v2", False),
            ("https://a.example/v2/hub", False),
            ("https://a.example/v2hub", True),
        ):
            self.set_registries(mirror("docker.io", endpoint))
            rules = [found.rule.id for found in self.node.diagnose()]
            self.assertEqual(rules, ["endpoint-path"] if is_found else [], endpoint)

    def test_other_registry(self) -> None:
        """For a prefix of the repositories there is a rewrite."""
        self.set_registries(mirror("docker.io", "https://harbor.example/hub/"))
        (found,) = self.node.diagnose()
        self.assertEqual((found.rule.id, found.changes), ("endpoint-path", ()))
        self.assertEqual(
            found.fix,
            'write https://harbor.example, and add to this mirror: rewrite: {"^(.*)$": '
            '"hub/$1"}; or append /v2, if the whole registry is below this path',
        )
        lines = rewrite("^library/(.*)", "$1")
        self.set_registries(mirror("docker.io", "https://harbor.example/hub", rewrite=lines))
        (found,) = self.node.diagnose()
        self.assertEqual(
            found.fix,
            "write https://harbor.example, and begin the replacements of the rewrites with hub/; "
            "or append /v2, if the whole registry is below this path",
        )

    def test_slashes(self) -> None:
        """Two slashes are a path without a prefix."""
        self.set_registries(mirror("docker.io", "https://harbor.example//"))
        (found,) = self.node.diagnose()
        self.assertEqual(
            (found.rule.id, found.fix), ("endpoint-path", "write https://harbor.example")
        )

    def test_not_installed(self) -> None:
        """Without minreg's units, its default address still counts as its own."""
        for unit in (SERVICE_UNIT, SOCKET_UNIT):
            self.node.remove(f"/etc/systemd/system/{unit}")
        self.set_registries(mirror("docker.io", "http://localhost:9080/docker.io"))
        fixes = {found.rule.id: found.fix for found in self.node.diagnose()}
        self.assertIn("write http://localhost:9080:", fixes["endpoint-path"])


class EndpointHostTests(RulesTestCase):
    """Tests for ``check_endpoint_hosts``, a golden one first."""

    def test_rule_endpoint_other_registry(self) -> None:
        """rancher/rke2#1829: a registry has images of its own only."""
        self.set_registries(mirror("docker.io", "https://a.example", "https://k8s.gcr.io/"))
        self.assert_found(
            (
                "endpoint-other-registry",
                f"{REGISTRIES}:8",
                (
                    "https://k8s.gcr.io/ has the images of k8s.gcr.io, not those of docker.io: "
                    "it does not have them, or has others under the same names"
                ),
                ("remove it; images whose names begin with k8s.gcr.io/ need a mirror k8s.gcr.io"),
            )
        )
        (found,) = self.node.diagnose()
        self.assertEqual(found.changes, (LineRemoval(REGISTRIES, 8),))

    def test_website(self) -> None:
        """rancher/rke2#1829: a website for people is no registry."""
        self.set_registries(mirror("docker.io", "https://a.example", "https://hub.docker.com/"))
        self.assert_found(
            (
                "endpoint-invalid",
                f"{REGISTRIES}:8",
                "https://hub.docker.com/ is a website: no image can be pulled from it",
                "remove it; the registry is https://registry-1.docker.io",
            )
        )

    def test_only_endpoint(self) -> None:
        """The only endpoint of a mirror is not removed by a patch."""
        self.set_registries(mirror("docker.io", "https://hub.docker.com"))
        (found,) = self.node.diagnose()
        self.assertEqual((found.rule.id, found.changes), ("endpoint-invalid", ()))

    def test_allowed(self) -> None:
        """Private names and copies of the same images are left alone, as are other names."""
        for name, endpoint, lines in (
            ("k8s.gcr.io", "https://registry.k8s.io", ""),
            ("lscr.io", "https://ghcr.io", ""),
            ("docker.io", "https://mirror.gcr.io", ""),
            ("docker.io", "https://registry-1.docker.io", ""),
            ("registry.example", "https://quay.io", ""),
            ("docker.io", "https://ghcr.io/v2/somebody", ""),
            ("docker.io", "https://quay.io", rewrite("^library/(.*)", "somebody/$1")),
            ("*", "https://quay.io", ""),
        ):
            self.set_registries(mirror(name, endpoint, rewrite=lines))
            self.assertEqual(self.node.diagnose(), [], name)


class NeverAskedTests(RulesTestCase):
    """Tests for mirrors because of which minreg is never asked."""

    def setUp(self) -> None:
        """Let the node use no system-default-registry, so that images are those of docker.io."""
        super().setUp()
        self.config = "disable-default-registry-endpoint: true\n"
        self.node.write("/etc/rancher/k3s/config.yaml.d/10-minreg.yaml", "")

    def merge(self) -> None:
        """Run the command that the only finding advises, on the node."""
        (found,) = self.node.diagnose()
        place = self.node.place(REGISTRIES)
        words = found.fix.replace(REGISTRIES, place).split()[1:]
        result = run(*words, "-d", self.node.place(DEFAULT_ROOT))
        self.assertEqual(result.exit_code, 0, result.output)
        self.node.restart_k3s()
        self.assert_nothing_found()

    def assert_pause_image(self, asked: str, fix: str) -> None:
        """Check that the pause image is reported, and nothing else."""
        self.node.write("/etc/rancher/k3s/config.yaml", self.config)
        self.node.restart_k3s()
        self.assert_found(
            (
                "pause-image",
                REGISTRIES,
                (
                    f"docker.io/rancher/mirrored-pause:3.6 is pulled from {asked} only, not from "
                    "minreg on this node, which has it; without it no pod starts"
                ),
                f"minreg registries {fix} --merge {REGISTRIES} --output {REGISTRIES}",
            )
        )
        self.merge()

    def test_embedded_registry(self) -> None:
        """k3s-io/k3s#10351: the embedded registry has no first copy of an image."""
        self.config += "embedded-registry: true\n"
        self.node.write(REGISTRIES, 'mirrors:\n  "*":\n')
        self.assert_pause_image("K3s' embedded registry (https://127.0.0.1:6443)", "--wildcard")
        self.node.write(REGISTRIES, "mirrors:\n  docker.io:\n")
        self.assert_pause_image("K3s' embedded registry (https://127.0.0.1:6443)", "docker.io")

    def test_embedded_and_minreg(self) -> None:
        """If minreg is asked too, what it lacks may be on other nodes."""
        self.node.write("/etc/rancher/k3s/config.yaml", f"{self.config}embedded-registry: true\n")
        self.node.write(REGISTRIES, 'mirrors:\n  "*":\n    endpoint: ["http://127.0.0.1:9080"]\n')
        self.node.restart_k3s()
        self.assert_nothing_found()
        self.node.remove(f"{DEFAULT_ROOT}/{PAUSE}/manifests/3.6")
        self.assert_nothing_found()

    def test_elsewhere(self) -> None:
        """A mirror on another machine gets all requests for what is in minreg's tree."""
        endpoint = "    endpoint:\n      - https://harbor.example\n"
        self.node.write(REGISTRIES, f'mirrors:\n  "*":\n{endpoint}')
        self.assert_pause_image("https://harbor.example", "--wildcard")
        self.node.write(REGISTRIES, f"mirrors:\n  docker.io:\n{endpoint}")
        self.assert_pause_image("https://harbor.example", "docker.io")

    def test_not_in_tree(self) -> None:
        """An image that the tree lacks may be in the other registry."""
        self.node.write("/etc/rancher/k3s/config.yaml", self.config)
        self.node.tree.add_image("other/image", "amd64", b"other", tags=("1",))
        self.node.remove(f"{DEFAULT_ROOT}/{PAUSE}/manifests/3.6")
        self.set_registries(f"{MIRRORS}  docker.io:\n    endpoint: [https://harbor.example]\n")
        self.assert_nothing_found()

    def test_rule_mirror_elsewhere(self) -> None:
        """Images that are in the tree under the name of a registry are asked for elsewhere."""
        self.node.write("/etc/rancher/k3s/config.yaml", self.config)
        for host in ("ghcr.io", "quay.io"):
            self.node.tree.add_image(f"{host}/a/b", "amd64", b"layer", tags=("1",))
        minreg = "    endpoint: ['http://127.0.0.1:9080']\n"
        other = "    endpoint: ['https://harbor.example']\n"
        mirrors = f"{MIRRORS}  docker.io:\n{minreg}"
        self.set_registries(f"{mirrors}  ghcr.io:\n{other}")
        problem = "but the mirror {} leads to https://harbor.example only: minreg is never asked"
        self.assert_found(
            (
                "mirror-elsewhere",
                f"{REGISTRIES}:7",
                f"the tree has 1 repository of ghcr.io, {problem.format('ghcr.io')} for them",
                f"minreg registries ghcr.io --merge {REGISTRIES} --output {REGISTRIES}",
            )
        )
        self.merge()
        self.set_registries(f'{mirrors}  "*":\n{other}')
        (found,) = self.node.diagnose()
        hosts = "the tree has 2 repositories of ghcr.io, quay.io"
        self.assertEqual(found.problem, f"{hosts}, {problem.format('*')} for them")
        self.merge()

    def test_alias(self) -> None:
        """What is requested by an alias of this registry is not reported."""
        self.node.write("/etc/rancher/k3s/config.yaml", self.config)
        self.node.tree.add_image(f"docker.io/{PAUSE}", "amd64", b"pause", tags=("3.6",))
        self.node.remove(f"{DEFAULT_ROOT}/{PAUSE}")
        self.node.write(
            "/etc/rancher/k3s/config.yaml.d/10-minreg.yaml",
            "system-default-registry: bootstrap-registry.airgap\n",
        )
        self.set_registries(f"{MIRRORS}  docker.io:\n    endpoint: [https://harbor.example]\n")
        self.assert_nothing_found()

    def test_reported_once(self) -> None:
        """A mirror from which a needed image is pulled is reported for that image only."""
        self.node.write("/etc/rancher/k3s/config.yaml", self.config)
        self.node.tree.add_image("quay.io/a/b", "amd64", b"layer", tags=("1",))
        self.set_registries('mirrors:\n  "*":\n    endpoint: [https://harbor.example]\n')
        rules = [found.rule.id for found in self.node.diagnose()]
        self.assertEqual(rules, ["pause-image"])
