"""Tests for the doctor's rule about ``hosts.toml``."""

from minreg.k3s.doctor.findings import Edit
from minreg.k3s.yaml_reader import Position
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
