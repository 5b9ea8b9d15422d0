"""Tests for ``minreg.k3s.registries.containerd``: whom containerd asks, and how."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.registries.certs_d import make_certs_d
from minreg.k3s.registries.containerd import Containerd, ImageName, Request, apply_rewrites
from minreg.k3s.registries.registries_yaml import read_registries

DIGEST = f"sha256:{'0' * 64}"
MINREG = "http://127.0.0.1:9080/v2"
TO_MINREG = "{endpoint: ['http://127.0.0.1:9080']}"


def requests(image: str, yaml: str, *, without_default: bool = False) -> list[Request]:
    """Work out the requests of K3s' containerd."""
    registries, _ = read_registries(yaml.encode())
    files = make_certs_d(registries, without_default=without_default).files
    containerd = Containerd({name: file.render() for name, file in files.items()})
    return list(containerd.requests(ImageName.parse(image)))


class RequestsTests(SynchronousTestCase):
    """Tests for ``Containerd.requests``."""

    def assert_urls(
        self, image: str, yaml: str, *urls: str, without_default: bool = False
    ) -> None:
        """Compare the addresses that are asked, in their order."""
        found = requests(image, yaml, without_default=without_default)
        self.assertEqual([request.url for request in found], list(urls))
        self.assertEqual({request.method for request in found}, {"HEAD"} if urls else set())

    def test_nothing_configured(self) -> None:
        """A registry without a file is asked itself."""
        hub = "https://registry-1.docker.io/v2"
        self.assert_urls("busybox", "", f"{hub}/library/busybox/manifests/latest")
        self.assert_urls("quay.io/a/b:1", "", "https://quay.io/v2/a/b/manifests/1")

    def test_alias(self) -> None:
        """K3s' system images: minreg first, and then the registry that there is not."""
        self.assert_urls(
            "bootstrap-registry.airgap/rancher/mirrored-pause:3.6",
            f"mirrors: {{bootstrap-registry.airgap: {TO_MINREG}}}",
            f"{MINREG}/rancher/mirrored-pause/manifests/3.6?ns=bootstrap-registry.airgap",
            "https://bootstrap-registry.airgap/v2/rancher/mirrored-pause/manifests/3.6",
        )

    def test_without_default(self) -> None:
        """With the registry itself left out, the mirrors are all that is asked."""
        self.assert_urls(
            "docker.io/busybox:1",
            f"mirrors: {{docker.io: {TO_MINREG}}}",
            f"{MINREG}/library/busybox/manifests/1?ns=docker.io",
            without_default=True,
        )

    def test_wildcard(self) -> None:
        """An asterisk stands for registries without an entry, with or without a port."""
        yaml = f"mirrors: {{'*': {TO_MINREG}, quay.io: {{endpoint: [1.2.3.4]}}}}"
        self.assert_urls(
            "example.com:5000/a:1",
            yaml,
            f"{MINREG}/a/manifests/1?ns=example.com%3A5000",
            "https://example.com:5000/v2/a/manifests/1",
        )
        self.assert_urls(
            "quay.io/a:1",
            yaml,
            "https://1.2.3.4/v2/a/manifests/1?ns=quay.io",
            "https://quay.io/v2/a/manifests/1",
        )

    def test_digest(self) -> None:
        """By digest, blobs are asked for last, and a tag beside it is not sent."""
        self.assert_urls(
            f"quay.io/a:1@{DIGEST}",
            f"mirrors: {{quay.io: {TO_MINREG}}}",
            f"{MINREG}/a/manifests/{DIGEST}?ns=quay.io",
            f"https://quay.io/v2/a/manifests/{DIGEST}",
            f"{MINREG}/a/blobs/{DIGEST}?ns=quay.io",
            f"https://quay.io/v2/a/blobs/{DIGEST}",
        )

    def test_override_path(self) -> None:
        """A path of an endpoint's own takes the place of /v2."""
        self.assert_urls(
            "quay.io/a:1",
            "mirrors: {quay.io: {endpoint: [1.2.3.4/proxy/, 'https://5.6.7.8/b/v2']}}",
            "https://1.2.3.4/proxy/a/manifests/1?ns=quay.io",
            "https://5.6.7.8/b/v2/a/manifests/1?ns=quay.io",
            "https://quay.io/v2/a/manifests/1",
        )

    def test_rewrite(self) -> None:
        """Endpoints are asked for the name that a rewrite makes, the registry itself is not."""
        yaml = (
            "mirrors: {docker.io: {endpoint: [1.2.3.4], "
            "rewrite: {'^rancher/(.*)': 'project/rancher-images/$1'}}}"
        )
        self.assert_urls(
            "rancher/mirrored-pause:3.6",
            yaml,
            "https://1.2.3.4/v2/project/rancher-images/mirrored-pause/manifests/3.6?ns=docker.io",
            "https://registry-1.docker.io/v2/rancher/mirrored-pause/manifests/3.6",
        )

    def test_several_rewrites(self) -> None:
        """Where several patterns match, any of them may be taken."""
        yaml = "mirrors: {quay.io: {endpoint: [1.2.3.4], rewrite: {^a: b, ^a/: c/, ^d: e}}}"
        first, *_ = requests("quay.io/a/x:1", yaml)
        self.assertEqual(first.path, "/v2/b/x/manifests/1")
        self.assertEqual(first.other_paths, ["/v2/c/x/manifests/1"])

    def test_escape_in_a_pattern(self) -> None:
        r"""K3s writes ``\.`` as it stands, which is no TOML: containerd then sees nothing."""
        yaml = "mirrors: {quay.io: {endpoint: [1.2.3.4], rewrite: {'^a\\.b/': c/}}}"
        self.assert_urls("quay.io/a:1", yaml, "https://quay.io/v2/a/manifests/1")

    def test_local_registry(self) -> None:
        """A registry on this machine is tried with TLS first, and then without."""
        (request,) = requests("localhost:5000/a:1", "")
        self.assertEqual(request.host.schemes, ("https", "http"))
        self.assertTrue(request.host.skips_verify)
        (request,) = requests("localhost:80/a:1", "")
        self.assertEqual(request.host.schemes, ("http",))
        (request,) = requests("localhost/a:1", "")
        self.assertEqual(request.host.schemes, ("https",))

    def test_http_with_tls(self) -> None:
        """Settings for TLS on a plain endpoint have TLS tried first, but on port 80."""
        for port, schemes in ((":9080", ("https", "http")), (":80", ("http",))):
            yaml = (
                f"mirrors: {{quay.io: {{endpoint: ['http://1.2.3.4{port}']}}}}\n"
                f"configs: {{'1.2.3.4{port}': {{tls: {{insecure_skip_verify: true}}}}}}"
            )
            first, _ = requests("quay.io/a:1", yaml)
            self.assertEqual(first.host.schemes, schemes)


class OtherContainerdTests(SynchronousTestCase):
    """Tests for files that K3s has not written, and containerds that are not K3s' own."""

    def urls(self, files: dict[str, str], image: str, *, is_of_k3s: bool) -> list[str]:
        """Work out the addresses that are asked."""
        containerd = Containerd(files, is_of_k3s=is_of_k3s)
        return [request.url for request in containerd.requests(ImageName.parse(image))]

    def test_default(self) -> None:
        """Other containerds turn to the registry itself whether or not a server is named."""
        files = {"quay.io": f'[host."{MINREG}"]\n'}
        mirror = f"{MINREG}/a/manifests/1?ns=quay.io"
        itself = "https://quay.io/v2/a/manifests/1"
        self.assertEqual(self.urls(files, "quay.io/a:1", is_of_k3s=True), [mirror])
        self.assertEqual(self.urls(files, "quay.io/a:1", is_of_k3s=False), [mirror, itself])

    def test_rewrite(self) -> None:
        """Other containerds know no rewrites."""
        files = {"quay.io": f'[host."{MINREG}"]\n[host."{MINREG}".rewrite]\n"^a" = "b"\n'}
        first, *_ = self.urls(files, "quay.io/a:1", is_of_k3s=True)
        self.assertEqual(first, f"{MINREG}/b/manifests/1?ns=quay.io")
        first, *_ = self.urls(files, "quay.io/a:1", is_of_k3s=False)
        self.assertEqual(first, f"{MINREG}/a/manifests/1?ns=quay.io")

    def test_directories(self) -> None:
        """A registry with a port is looked for under two names before the default."""
        names = ["example.com_5000_", "example.com:5000", "_default"]
        for number, name in enumerate(names):
            containerd = Containerd(dict.fromkeys(names[number:], ""))
            self.assertEqual(containerd.directory("example.com:5000"), name)
        self.assertIsNone(Containerd({"example.com": ""}).directory("example.com:5000"))

    def test_capabilities(self) -> None:
        """A host that may not resolve is passed over for tags, and asked for digests."""
        files = {"quay.io": '[host."https://1.2.3.4"]\ncapabilities = ["pull"]\n'}
        self.assertEqual(self.urls(files, "quay.io/a:1", is_of_k3s=True), [])
        self.assertEqual(len(self.urls(files, f"quay.io/a@{DIGEST}", is_of_k3s=True)), 2)


class ApplyRewritesTests(SynchronousTestCase):
    """Tests for ``apply_rewrites``."""

    def test_nothing_matches(self) -> None:
        """A name that no valid pattern changes is returned as it is."""
        for pattern in ("^b", "^a$", "(", "(?!a)"):
            self.assertEqual(apply_rewrites("a/b", {pattern: "x"}), ["a/b"])
