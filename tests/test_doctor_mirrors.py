"""Tests for the doctor's rules about mirrors and their rewrites."""

from minreg.k3s.doctor.findings import Edit
from minreg.k3s.yaml_reader import Position
from tests.doctor_support import MIRRORS, RulesTestCase
from tests.nodes import CONFIG, REGISTRIES


def mirror(name: str, *endpoints: str, rewrite: str = "") -> str:
    """Write an entry of ``mirrors`` behind the one that minreg needs."""
    lines = "".join(f'      - "{endpoint}"\n' for endpoint in endpoints)
    return f'{MIRRORS}  "{name}":\n    endpoint:\n{lines}{rewrite}'


def rewrite(pattern: str, replacement: str) -> str:
    """Write a rewrite for an entry of ``mirrors``."""
    return f'    rewrite:\n      "{pattern}": "{replacement}"\n'


class MirrorRulesTests(RulesTestCase):
    """Tests for the rules about names and endpoints, a golden one for each."""

    def test_rule_mirror_name(self) -> None:
        """A registry's name has no scheme, for images have none."""
        self.set_registries(mirror("https://registry.example:5000", "http://127.0.0.1:9080"))
        self.assert_found(
            (
                "mirror-name",
                f"{REGISTRIES}:5",
                (
                    "no image name begins with https://registry.example:5000/: this mirror "
                    "is never used"
                ),
                "write registry.example:5000",
            )
        )

    def test_names_of_nobody(self) -> None:
        """A name without a dot, or an alias of the Docker Hub, is not a registry."""
        for name, fix in (
            ("customreg", "write the host of the registry, as in image names"),
            ("index.docker.io", "write docker.io"),
            ("registry.example/project", "write registry.example"),
            (
                "http://bootstrap-registry.airgap",
                "remove it: there already is a mirror bootstrap-registry.airgap",
            ),
        ):
            self.set_registries(mirror(name, "http://127.0.0.1:9080"))
            problem = f"no image name begins with {name}/: this mirror is never used"
            self.assert_found(("mirror-name", f"{REGISTRIES}:5", problem, fix))

    def test_capitals(self) -> None:
        """Image names have the host in lower case, unless a list says otherwise."""
        self.set_registries(mirror("GHCR.io", "http://127.0.0.1:9080"))
        problem = (
            "image names begin with ghcr.io/, and containerd compares capital letters too: this "
            "mirror is never used"
        )
        self.assert_found(("mirror-name", f"{REGISTRIES}:5", problem, "write ghcr.io"))
        (found,) = self.node.diagnose()
        edit = Edit(REGISTRIES, Position(5, 3), "GHCR.io", "ghcr.io")
        self.assertEqual(found.changes, (edit,))
        self.set_registries(
            f"{mirror('ghcr.io', 'http://127.0.0.1:9080')}  GHCR.IO:\n"
            "    endpoint: ['http://127.0.0.1:9080']\n"
        )
        (found,) = self.node.diagnose()
        self.assertEqual(found.fix, "remove it: there already is a mirror ghcr.io")
        self.node.tree.add_image("a/b", "amd64", b"layer", tags=("1",))
        self.node.write("/var/lib/rancher/k3s/agent/images/a.txt", "GHCR.IO/a/b:1\n")
        self.assert_nothing_found()

    def test_embedded_registry(self) -> None:
        """With the embedded registry, a name without endpoints counts too."""
        self.set_registries(f"{MIRRORS}  GHCR.io:\n")
        self.assert_nothing_found()
        self.node.write(CONFIG, f"{self.node.read(CONFIG)}embedded-registry: true\n")
        self.set_registries(f"{MIRRORS}  GHCR.io:\n")
        (found,) = self.node.diagnose()
        self.assertEqual((found.rule.id, found.line), ("mirror-name", 5))

    def test_anchor(self) -> None:
        """An entry that only holds an anchor is not meant as a registry."""
        common = "  common: &common\n    endpoint: ['http://127.0.0.1:9080']\n"
        self.set_registries(f"{MIRRORS}{common}  ghcr.io: *common\n  quay.io: *common\n")
        self.assert_nothing_found()
        self.set_registries(f"{MIRRORS}{common}")
        (found,) = self.node.diagnose()
        self.assertEqual(found.rule.id, "mirror-name")

    def test_rule_endpoint_invalid(self) -> None:
        """An endpoint has a host."""
        self.set_registries(mirror("docker.io", "http//127.0.0.1:9080", "http://127.0.0.1:9080"))
        self.assert_found(
            (
                "endpoint-invalid",
                f"{REGISTRIES}:7",
                "http//127.0.0.1:9080 has the host http: no registry is asked",
                "write http:// or https://, with both slashes",
            )
        )

    def test_invalid(self) -> None:
        """What K3s leaves out, and what no registry speaks, is found as well."""
        for endpoint, problem, fix in (
            (
                "http://a b/",
                "'http://a b/' has no host: no registry is asked",
                "write https://HOST, or http://HOST:PORT",
            ),
            (
                "ftp://a.example",
                (
                    "ftp://a.example has the scheme ftp, which no registry uses: no registry "
                    "is asked"
                ),
                "write http:// or https://",
            ),
        ):
            self.set_registries(mirror("docker.io", endpoint))
            self.assert_found(("endpoint-invalid", f"{REGISTRIES}:7", problem, fix))

    def test_rule_endpoint_scheme(self) -> None:
        """An endpoint of minreg must use http, as minreg does."""
        self.set_registries(MIRRORS.replace("http:", "https:"))
        self.assert_found(
            (
                "endpoint-scheme",
                f"{REGISTRIES}:4",
                ("https://127.0.0.1:9080 means https, but minreg uses http: each pull fails"),
                "write http://127.0.0.1:9080",
            )
        )

    def test_schemes(self) -> None:
        """The reverse is reported too, and the wrong scheme for ports 443 and 80."""
        socket = "/etc/systemd/system/minreg.service.d/tls.conf"
        options = "--listen=ssl:9443:interface=127.0.0.1"
        self.node.write(socket, f"[Service]\nEnvironment=MINREG_OPTIONS={options}\n")
        for endpoint, schemes, fix in (
            ("http://127.0.0.1:9443", "http, but minreg uses https", "https://127.0.0.1:9443"),
            ("http://a.example:443", "http, but that port uses https", "https://a.example:443"),
            ("https://a.example:80", "https, but that port uses http", "http://a.example:80"),
            (
                "a.example:80",
                "https by default, but that port uses http",
                "http://a.example:80",
            ),
        ):
            self.set_registries(mirror("docker.io", endpoint))
            problem = f"{endpoint} means {schemes}: each pull fails"
            self.assert_found(
                ("endpoint-scheme", f"{REGISTRIES}:7", problem, f"write {fix}"),
            )

    def test_named_endpoint(self) -> None:
        """An image that names an http endpoint itself is not asked for by http."""
        self.set_registries(mirror("docker.io", "http://registry.example:5000"))
        self.node.write(
            "/var/lib/rancher/k3s/agent/images/app.txt", "registry.example:5000/app/web:1.0\n"
        )
        self.assert_found(
            (
                "endpoint-scheme",
                f"{REGISTRIES}:7",
                (
                    "registry.example:5000/app/web:1.0 is pulled by https, because "
                    "registry.example:5000 has no mirror of its own: http is used only for "
                    "an endpoint of a mirror"
                ),
                "add a mirror registry.example:5000 with the endpoint http://registry.example:5000",
            )
        )

    def test_rule_endpoint_default(self) -> None:
        """The registry itself need not be named: it is asked in the end anyway."""
        self.node.write(CONFIG, "")
        self.set_registries(
            "mirrors:\n  docker.io:\n    endpoint:\n      - http://127.0.0.1:9080\n"
            "      - https://registry-1.docker.io\n"
        )
        self.assert_found(
            (
                "endpoint-default",
                f"{REGISTRIES}:5",
                (
                    "https://registry-1.docker.io is the default endpoint of docker.io, "
                    "which is asked last anyway: it has no effect here"
                ),
                "remove this line",
            )
        )

    def test_rewrites_of_default(self) -> None:
        """Rewrites of a default endpoint are not applied."""
        self.node.write(CONFIG, "")
        self.set_registries(
            "mirrors:\n  docker.io:\n    endpoint: [http://127.0.0.1:9080]\n"
            "  registry.example:\n    endpoint: [https://registry.example]\n"
            "    rewrite: {'^rancher/(.*)': 'mirror/rancher/$1'}\n"
        )
        (found,) = (f for f in self.node.diagnose() if f.rule.id == "endpoint-default")
        self.assertEqual(
            (found.line, found.problem, found.fix),
            (
                5,
                (
                    "https://registry.example is the default endpoint of registry.example, to "
                    "which rewrites do not apply: those of this mirror have no effect"
                ),
                "write https://registry.example/v2/, which is another endpoint to K3s",
            ),
        )

    def test_default_switched_off(self) -> None:
        """Where the default endpoint is switched off, naming it is how to have it asked."""
        self.set_registries(mirror("registry.example", "https://registry.example"))
        self.assert_nothing_found()


class RewriteRulesTests(RulesTestCase):
    """Tests for ``check_rewrites``, a golden one for each rule."""

    def test_rule_rewrite_group(self) -> None:
        """A replacement uses groups that the pattern has."""
        self.set_registries(MIRRORS + rewrite("^rancher", "mirror/$1"))
        self.assert_found(
            (
                "rewrite-group",
                f"{REGISTRIES}:6",
                "mirror/$1 uses $1, but ^rancher has no such group: it is empty",
                "write ^rancher/(.*)",
            )
        )

    def test_braces(self) -> None:
        """Letters behind the number of a group are taken for part of its name."""
        self.set_registries(MIRRORS + rewrite("^rancher/(.*)", "mirror/$1_x"))
        self.assert_found(
            (
                "rewrite-group",
                f"{REGISTRIES}:6",
                "mirror/$1_x uses $1_x, but ^rancher/(.*) has no such group: it is empty",
                "write ${1} with braces if letters or digits follow, or add the group",
            )
        )

    def test_rule_rewrite_syntax(self) -> None:
        """A pattern is one of Go, which cannot look ahead."""
        self.set_registries(MIRRORS + rewrite("^(?!rancher)(.*)", "mirror/$1"))
        (found,) = self.node.diagnose()
        self.assertEqual(
            (found.rule.id, found.line, found.fix),
            (
                "rewrite-syntax",
                6,
                "write another pattern: Go has neither (?! nor (?= nor references to groups",
            ),
        )
        self.assertIn("(?!", found.problem)
        self.assertTrue(found.problem.endswith("containerd ignores this rewrite, and logs that"))

    def test_rule_rewrite_unused(self) -> None:
        """A rewrite that matches nothing in the tree and no image of the node has no effect."""
        self.set_registries(MIRRORS + rewrite("^longhornio/(.*)", "mirror/$1"))
        self.assert_found(
            (
                "rewrite-unused",
                f"{REGISTRIES}:6",
                (
                    "^longhornio/(.*) matches no repository of the tree "
                    "/var/lib/rancher/k3s/server/registry: it has no effect"
                ),
                "remove it: the tree has images under their original names",
            )
        )

    def test_used(self) -> None:
        """A rewrite that leads to what the tree holds is left alone, as is one for others."""
        self.node.tree.add_image("mirror/mirrored-pause", "amd64", b"pause", tags=("3.6",))
        self.set_registries(MIRRORS + rewrite("^rancher/(.*)", "mirror/$1"))
        self.assert_nothing_found()
        self.set_registries(
            mirror("quay.io", "https://a.example", rewrite=rewrite("^longhornio/(.*)", "x/$1"))
        )
        self.assert_nothing_found()
