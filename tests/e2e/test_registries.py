"""containerd pulls by what ``minreg registries`` writes, and asks as the model says."""

import os

from minreg.k3s.registries.containerd import Containerd, ImageName
from tests.e2e.containerd import ALIAS
from tests.e2e.containerd2 import Containerd2
from tests.e2e.content import sample_image
from tests.e2e.daemon import Daemon, LoggedRequest
from tests.e2e.programs import ProgramFailed, free_port, installed, run
from tests.e2e.pulls import ContainerdTestCase
from tests.e2e.tls_proxy import Authority, TlsProxy
from tests.e2e.trees import FieldTree

REPOSITORY = "rancher/mirrored-sample"

# By tag, by digest, and by both.
NAMES = (
    "docker.io/library/busybox:1.36",
    "docker.io/rancher/mirrored-pause:3.6",
    "docker.io/rancher/klipper-helm@{}",
    "docker.io/a/b/c:1",
    "quay.io/prometheus/node-exporter:v1.9.1",
    "quay.io/a:1",
    "quay.io/b:1@{}",
    "ghcr.io/flannel-io/flannel:v0.26.7",
    "ghcr.io/a/b:latest",
    "ghcr.io/c/d@{}",
    "example.com:5000/team/a:1",
    "example.com:5000/team/b:1",
    "example.com:5000/c:2",
    "example.com:5000/d@{}",
    "bootstrap-registry.airgap/rancher/mirrored-coredns-coredns:1.12.0",
    "bootstrap-registry.airgap/rancher/klipper-lb:v0.4.13",
    "bootstrap-registry.airgap/rancher/local-path-provisioner@{}",
    "registry.k8s.io/pause:3.10",
    "registry.k8s.io/kube-proxy:v1.33.1",
    "registry.k8s.io/sig-storage/csi-node-driver-registrar@{}",
)

# On ``nowhere`` nobody listens.
REGISTRIES = """\
mirrors:
  docker.io: {{endpoint: ["http://{second}"]}}
  quay.io: {{endpoint: ["http://127.0.0.1:{nowhere}", "{first}", "http://{second}/"]}}
  ghcr.io: {{endpoint: ["http://{first}/v2/ghcr.io", "http://{second}/v2/ghcr.io/"]}}
  example.com:5000:
    endpoint: ["http://{first}", "{first}/v2", "http://{second}"]
    rewrite: {{"^team/(.*)": "moved/$1"}}
  bootstrap-registry.airgap: {{endpoint: ["http://{second}"]}}
  "*": {{endpoint: ["{second}/v2"]}}
"""


class RegistriesTestCase(ContainerdTestCase):
    """A containerd whose hosts ``minreg registries`` writes."""

    def setUp(self) -> None:
        """Make a tree."""
        super().setUp()
        self.tree = FieldTree(self.root)

    def write(self, *arguments: str) -> None:
        """Write the hosts."""
        hosts = ("--hosts-toml", self.containerd.hosts_directory)
        run(installed("minreg"), "registries", "-d", self.root, *hosts, *arguments)


class FormsTests(RegistriesTestCase):
    """Tests for each form of the file."""

    def assert_pulls(self, daemon: Daemon, host: str, repository: str, *names: str) -> None:
        """Pull an image, and see that the daemon was asked for it first."""
        self.assert_runs(f"{host}/{names[0]}:1.0")
        self.assertIn(
            LoggedRequest("HEAD", f"/v2/{repository}/manifests/1.0", host, 200), daemon.requests()
        )

    def test_alias(self) -> None:
        """K3s' own images come by the name that K3s is given for their registry."""
        self.tree.add(REPOSITORY, "1.0", sample_image())
        daemon = self.start_daemon(self.root)
        self.write("--endpoint", f"http://{daemon.registry}")
        self.assert_pulls(daemon, ALIAS, REPOSITORY, REPOSITORY)

    def test_hosts_of_the_tree(self) -> None:
        """Images come by their ordinary names from a tree that keeps the registries' names."""
        hosts = ("quay.io", "docker.io", "localhost:5000")
        for host in hosts:
            self.tree.add(f"{host}/{REPOSITORY}", "1.0", sample_image())
        daemon = self.start_daemon(self.root)
        self.write("--endpoint", f"http://{daemon.registry}")
        self.assertEqual(
            sorted(os.listdir(self.containerd.hosts_directory)), sorted([ALIAS, *hosts])
        )
        for host in hosts:
            self.assert_pulls(daemon, host, REPOSITORY, REPOSITORY)

    def test_wildcard(self) -> None:
        """One entry does for K3s' registry and for all others, with a port or without."""
        self.tree.add(REPOSITORY, "1.0", sample_image())
        daemon = self.start_daemon(self.root)
        self.write("--wildcard", "--endpoint", f"http://{daemon.registry}")
        self.assertEqual(os.listdir(self.containerd.hosts_directory), ["_default"])
        for host in (ALIAS, "quay.io", "example.com:5000"):
            self.assert_pulls(daemon, host, REPOSITORY, REPOSITORY)


class Containerd2FormsTests(FormsTests):
    """Tests for each form of the file with containerd 2."""

    def start_containerd(self, directory: str) -> Containerd2:
        """Start containerd 2."""
        return Containerd2(directory)


class PredictionTests(RegistriesTestCase):
    """Tests for what the model says containerd asks for: twenty images of six registries."""

    def setUp(self) -> None:
        """Serve two trees, each with some of the images, and write the hosts."""
        super().setUp()
        other = os.path.join(self.make_directory(), "registry")
        self.trees = (self.tree, FieldTree(other))
        self.images = [name.format(sample_image().top) for name in NAMES]
        for name in self.images:
            image = ImageName.parse(name)
            host = "docker.io" if image.host == ALIAS else image.host
            tag = image.reference if isinstance(image.reference, str) else "by-digest"
            self.trees[self.home(name)].add(f"{host}/{image.repository}", tag, sample_image())
        self.tree.add("example.com:5000/moved/a", "1", sample_image())
        self.daemons = (self.start_daemon(self.root), self.start_daemon(other))
        path = os.path.join(self.make_directory(), "registries.yaml")
        first, second = (daemon.registry for daemon in self.daemons)
        with open(path, "w", encoding="utf-8") as file:
            file.write(REGISTRIES.format(first=first, second=second, nowhere=free_port()))
        self.write("docker.io", "--merge", path, "--endpoint", f"http://{first}")

    def home(self, name: str) -> int:
        """Tell in which tree an image lies: by turns, or where alone its registry is mirrored."""
        return 1 if name.startswith("registry.k8s.io/") else self.images.index(name) % 2

    def model(self, *, is_of_k3s: bool) -> Containerd:
        """Read the hosts as they were written."""
        directory = self.containerd.hosts_directory
        files = {}
        for name in os.listdir(directory):
            with open(os.path.join(directory, name, "hosts.toml"), encoding="utf-8") as file:
                files[name] = file.read()
        return Containerd(files, is_of_k3s=is_of_k3s)

    def predict(self, name: str) -> list[list[LoggedRequest]]:
        """Say what each daemon will be asked, until one of them has the image."""
        logs: list[list[LoggedRequest]] = [[], []]
        for request in self.model(is_of_k3s=False).requests(ImageName.parse(name)):
            for number, daemon in enumerate(self.daemons):
                if request.host.host == daemon.registry:
                    status = 200 if number == self.home(name) else 404
                    entry = (request.method, request.path, request.namespace, status)
                    logs[number].append(LoggedRequest(*entry))
                    if status == 200:
                        return logs
        raise AssertionError(f"nobody would be found who has {name}")

    def test_twenty_images(self) -> None:
        """What containerd asks for is what was said, of endpoint after endpoint."""
        expected: list[list[LoggedRequest]] = [[], []]
        for name in self.images:
            for log, more in zip(expected, self.predict(name), strict=True):
                log.extend(more)
            self.containerd.pull(name)
        self.assertEqual(len(set(self.images)), 20)
        for daemon, log in zip(self.daemons, expected, strict=True):
            daemon.stop()
            asked = [request for request in daemon.requests() if request.method == "HEAD"]
            self.assertEqual(asked, log)

    def test_rewrite(self) -> None:
        """Debian's containerd knows no rewrites; what K3s' would ask for, minreg has."""
        image = ImageName.parse("example.com:5000/team/a:1")
        (debian, *_), (k3s, *_) = (
            self.model(is_of_k3s=is_of_k3s).requests(image) for is_of_k3s in (False, True)
        )
        self.assertEqual(debian.path, "/v2/team/a/manifests/1")
        self.assertEqual(k3s.path, "/v2/moved/a/manifests/1")
        run("curl", "--fail", "--silent", "--noproxy", "*", "--head", k3s.url)
        self.assertEqual(
            self.daemons[0].requests()[-1],
            LoggedRequest("HEAD", k3s.path, "example.com:5000", 200),
        )


class TlsTests(RegistriesTestCase):
    """Tests for endpoints with TLS, whose certificates nobody knows."""

    def setUp(self) -> None:
        """Serve an image, and make an authority."""
        super().setUp()
        self.need_programs("openssl")
        self.tree.add(REPOSITORY, "1.0", sample_image())
        self.daemon = self.start_daemon(self.root)
        self.authority = Authority(self.make_directory())
        self.ca_file = ("--ca-file", self.authority.certificate.path)

    def proxy(self, name: str, clients: Authority | None = None) -> tuple[str, str]:
        """Put TLS before the daemon, and return the options that name it."""
        proxy = TlsProxy(self.daemon.port, self.authority.certify(name), clients)
        self.addCleanup(proxy.stop)
        return "--endpoint", proxy.endpoint

    def assert_pulls(self) -> None:
        """Pull, by TLS."""
        self.assert_runs(f"{ALIAS}/{REPOSITORY}:1.0")

    def assert_fails(self) -> None:
        """Pull in vain: not one request came through."""
        self.assertRaises(ProgramFailed, self.containerd.pull, f"{ALIAS}/{REPOSITORY}:1.0")
        self.assertEqual(self.daemon.requests(), [])

    def test_ca_file(self) -> None:
        """With the authority's certificate the endpoint is trusted, and not without."""
        endpoint = self.proxy("IP:127.0.0.1")
        self.write(*endpoint)
        self.assert_fails()
        self.write(*endpoint, *self.ca_file)
        self.assert_pulls()

    def test_other_name(self) -> None:
        """A certificate for another name is good only if none is looked at."""
        endpoint = self.proxy("DNS:registry.example")
        self.write(*endpoint, *self.ca_file)
        self.assert_fails()
        self.write(*endpoint, "--insecure-skip-verify")
        self.assert_pulls()

    def test_client_certificate(self) -> None:
        """An endpoint that wants to know its clients gets to see a certificate."""
        endpoint = self.proxy("IP:127.0.0.1", self.authority)
        self.write(*endpoint, *self.ca_file)
        self.assert_fails()
        client = self.authority.certify("DNS:node")
        pair = ("--cert-file", client.path, "--key-file", client.key)
        self.write(*endpoint, *self.ca_file, *pair)
        self.assert_pulls()


class Containerd2TlsTests(TlsTests):
    """Tests for endpoints with TLS with containerd 2."""

    def start_containerd(self, directory: str) -> Containerd2:
        """Start containerd 2."""
        return Containerd2(directory)


class Containerd2PredictionTests(PredictionTests):
    """Tests for what the model says that containerd 2 asks for."""

    def start_containerd(self, directory: str) -> Containerd2:
        """Start containerd 2."""
        return Containerd2(directory)
