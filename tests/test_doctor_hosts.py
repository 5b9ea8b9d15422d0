"""Tests for the doctor's rule about ``hosts.toml``."""

from minreg.k3s.doctor.findings import Edit
from minreg.k3s.yaml_reader import Position
from tests.certificates import make_certificate
from tests.doctor_support import MIRRORS, RulesTestCase
from tests.nodes import CONTAINERD, REGISTRIES

_CERTS_D = f"{CONTAINERD}/certs.d"


def with_rewrite(pattern: str, registry: str = "docker.io", replacement: str = "x") -> str:
    """Write an entry of ``mirrors`` with a rewrite in line 7, behind what minreg needs."""
    return (
        f'{MIRRORS}  "{registry}":\n    endpoint: ["http://127.0.0.1:9080"]\n'
        f"    rewrite: {{'{pattern}': '{replacement}'}}\n"
    )


class HostsRulesTests(RulesTestCase):
    """Tests for ``check_hosts``, a golden one first."""

    def test_rule_hosts_invalid(self) -> None:
        """A backslash in a rewrite makes something else of TOML, or nothing."""
        self.set_registries(with_rewrite(r"^rancher/mirrored\-(.*)"))
        self.assert_found(
            (
                "hosts-invalid",
                f"{REGISTRIES}:7",
                (
                    "K3s writes ^rancher/mirrored\\-(.*) unquoted into "
                    f"{_CERTS_D}/docker.io/hosts.toml, which is then not TOML: containerd "
                    "ignores the file, and asks only https://registry-1.docker.io"
                ),
                "write ^rancher/mirrored[-](.*)",
            )
        )

    def test_cause(self) -> None:
        """It is found as the cause, where images cannot be pulled for it."""
        self.set_registries(f"{MIRRORS}    rewrite:\n      '^rancher\\.(\\d+)': 'x'\n")
        (found,) = self.node.diagnose()
        self.assertEqual((found.rule.id, found.line), ("hosts-invalid", 6))
        meant = "^rancher[.]([0-9]+)"
        self.assertEqual(
            found.changes, (Edit(REGISTRIES, Position(6, 7), r"^rancher\.(\d+)", meant),)
        )

    def test_by_hand(self) -> None:
        """What cannot be written in another way by rote is left to people."""
        for pattern, replacement in ((r"^[\-a]", "x"), (r"^\pL", "x"), ("^a", 'a"')):
            self.set_registries(with_rewrite(pattern, "*", replacement))
            (found,) = self.node.diagnose()
            self.assertEqual((found.rule.id, found.line, found.changes), ("hosts-invalid", 7, ()))
            self.assertEqual(
                found.fix, r"write it without backslashes and quotes: [.] for \., [0-9] for \d"
            )
            self.assertTrue(found.problem.endswith("asks only the registry itself"))

    def test_endpoint(self) -> None:
        """An endpoint can do the same."""
        self.set_registries(f"{MIRRORS}  quay.io:\n    endpoint: ['https://a.example/?\"']\n")
        (found,) = self.node.diagnose()
        self.assertEqual((found.rule.id, found.line), ("hosts-invalid", 5))

    def test_written_by_somebody(self) -> None:
        """An invalid file that was written by hand is reported itself."""
        self.node.write(f"{_CERTS_D}/quay.io/hosts.toml", "[host.a]\nskip_verify = 1\n")
        self.assert_found(
            (
                "hosts-invalid",
                f"{_CERTS_D}/quay.io/hosts.toml",
                (
                    "skip_verify has the wrong type: see docs/hosts.md of containerd; "
                    "containerd ignores the file, and asks only https://quay.io"
                ),
                "correct the file: see docs/hosts.md of containerd",
            )
        )

    def test_unused(self) -> None:
        """What K3s does not write does no harm."""
        self.set_registries(f"{MIRRORS}  quay.io:\n    rewrite: {{'\\d': x}}\n")
        self.assert_nothing_found()


class HandWrittenHostsTests(RulesTestCase):
    """Tests for ``check_hosts_tls`` and ``check_host_directories``."""

    def write_hosts(self, settings: str) -> str:
        """Write the file of quay.io by hand, and return its path."""
        path = f"{_CERTS_D}/quay.io/hosts.toml"
        self.node.write(
            path, f'server = "https://quay.io"\n\n[host."https://a.example"]\n{settings}'
        )
        return path

    def assert_fault(self, settings: str, line: int, problem: str, fix: str) -> None:
        """Check that a file has one fault."""
        path = self.write_hosts(settings)
        effect = f"{problem}: containerd then pulls nothing from quay.io"
        self.assert_found(("tls-file", f"{path}:{line}" if line else path, effect, fix))

    def test_ca(self) -> None:
        """If an authority's file cannot be used, none of the hosts is asked."""
        missing, directory = f"{_CERTS_D}/quay.io/ca.crt", "/etc/rancher"
        copy = "copy the file there, or correct the path"
        self.assert_fault('  ca = "ca.crt"\n', 4, f"{missing} does not exist", copy)
        self.assert_fault('  ca = ["/a/b.pem"]\n', 4, "/a/b.pem does not exist", copy)
        fix = "write the path of a file in it"
        self.assert_fault(f'\n  ca = "{directory}"\n', 5, f"{directory} is a directory", fix)
        self.node.write("/etc/ca.pem", "nothing")
        fix = "convert it to PEM, which begins with -----BEGIN CERTIFICATE-----"
        self.assert_fault('  ca = "/etc/ca.pem"', 4, "/etc/ca.pem has no certificate in PEM", fix)
        escaped = '  ca = "/etc/\\u0063a.pem"'
        self.assert_fault(escaped, 0, "/etc/ca.pem has no certificate in PEM", fix)

    def test_client(self) -> None:
        """A client's certificate has its key in the same file, or in the second one of a pair."""
        both = make_certificate()
        alone = both.partition(b"-----BEGIN PRIVATE")[0]
        for name, content in (("both", both), ("alone", alone), ("other", make_certificate())):
            self.node.write(f"/etc/{name}.pem", content)
        fix = 'write the two files as client = [["CERTIFICATE", "KEY"]]'
        problem = "/etc/alone.pem has no private key in PEM"
        self.assert_fault('client = ["/etc/alone.pem", "/etc/both.pem"]', 4, problem, fix)
        problem = "/etc/other.pem is not the key of /etc/alone.pem"
        fix = "name a certificate and a key that belong together"
        self.assert_fault('client = [["/etc/alone.pem", "/etc/other.pem"]]', 4, problem, fix)
        fix = "copy the file there, or correct the path"
        self.assert_fault('client = [["/etc/both.pem", "/key"]]', 4, "/key does not exist", fix)
        for settings in ('"/etc/both.pem"', '[["/etc/alone.pem", "/etc/both.pem"]]'):
            self.write_hosts(f"client = {settings}\n")
            self.assert_nothing_found()

    def test_two_files(self) -> None:
        """spegel-org/spegel#413: a list has files with certificate and key, not one of each."""
        certificate, mark, key = make_certificate().partition(b"-----BEGIN PRIVATE")
        self.node.write(f"{_CERTS_D}/quay.io/client.cert", certificate)
        self.node.write(f"{_CERTS_D}/quay.io/client.key", mark + key)
        self.write_hosts('client = ["client.cert", "client.key"]\n')
        problems = [found.problem.partition(":")[0] for found in self.node.diagnose()]
        self.assertEqual(
            problems,
            [
                f"{_CERTS_D}/quay.io/client.cert has no private key in PEM",
                f"{_CERTS_D}/quay.io/client.key has no certificate in PEM",
            ],
        )

    def test_pair(self) -> None:
        """A pair has two files."""
        self.write_hosts('client = [["/etc/a.pem"]]\n')
        (found,) = self.node.diagnose()
        self.assertEqual(found.rule.id, "hosts-invalid")
        self.assertTrue(found.problem.startswith("client must have pairs of two paths"))

    def test_healthy(self) -> None:
        """Relative paths are those of the directory."""
        self.node.write(f"{_CERTS_D}/quay.io/ca.crt", make_certificate(is_authority=True))
        self.write_hosts('ca = "ca.crt"\n')
        self.assert_nothing_found()

    def test_default(self) -> None:
        """The directory for all other registries counts as well, unless K3s replaces it."""
        self.node.write(f"{_CERTS_D}/_default/hosts.toml", '[host."https://a.example"]\nca = "/a"')
        (found,) = self.node.diagnose()
        self.assertTrue(found.problem.endswith("from registries without a directory of their own"))
        self.node.write(REGISTRIES, f'{MIRRORS}  "*":\n    endpoint: ["http://127.0.0.1:9080"]\n')
        rules = [found.rule.id for found in self.node.diagnose()]
        self.assertNotIn("tls-file", rules)

    def test_plain_file(self) -> None:
        """An entry for a registry that is a file makes each of its pulls fail."""
        path = f"{_CERTS_D}/docker.io"
        self.node.write(path, 'server = "https://a.example"\n')
        self.assert_found(
            (
                "hosts-invalid",
                path,
                "this is a file, not a directory: containerd pulls nothing from docker.io",
                f"mkdir {path}.d && mv {path} {path}.d/hosts.toml && mv {path}.d {path}",
            )
        )
        self.node.write(f"{_CERTS_D}/ca.crt", "a certificate")
        self.node.remove(path)
        self.assert_nothing_found()

    def test_replaced_file(self) -> None:
        """K3s replaces it if the registry has a mirror."""
        self.node.remove(f"{_CERTS_D}/bootstrap-registry.airgap")
        self.node.write(f"{_CERTS_D}/bootstrap-registry.airgap", "x")
        (found,) = self.node.diagnose()
        self.assertEqual(
            (found.rule.id, found.fix),
            (
                "hosts-invalid",
                "systemctl restart k3s.service, which replaces it by a directory",
            ),
        )
