"""Tests for the doctor's rules about certificates."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.doctor.certificates import CertificateInvalid, parse_certificates
from minreg.k3s.doctor.node_files import NodeFiles
from minreg.k3s.doctor.node_state import inspect_node
from tests.certificates import make_certificate
from tests.doctor_support import MIRRORS, RulesTestCase
from tests.nodes import REGISTRIES

_CA = "/etc/rancher/ca.pem"
_KEY = "/etc/rancher/key.pem"
_BROKEN = "containerd then pulls nothing from the registries with this endpoint"


def secure(endpoint: str = "registry.example:5000", **settings: str) -> str:
    """Write a file with a mirror behind TLS, and settings for it."""
    lines = "".join(f"      {name}: {value}\n" for name, value in settings.items())
    return (
        f"{MIRRORS}  quay.io:\n    endpoint:\n      - 'https://{endpoint}'\n"
        f"configs:\n  '{endpoint}':\n    tls:\n{lines}"
    )


class TLSRulesTests(RulesTestCase):
    """Tests for ``check_tls_files``, a golden one for each rule."""

    def test_healthy(self) -> None:
        """An authority's certificate, and a server's own with the right name, are right."""
        for content in (
            make_certificate(is_authority=True),
            make_certificate(["registry.example"]),
            make_certificate(["*.example", "192.0.2.1"], is_authority=True),
        ):
            self.node.write(_CA, content)
            self.set_registries(secure(ca_file=_CA))
            self.assert_nothing_found()

    def test_rule_tls_file(self) -> None:
        """Without the file that is named, containerd does not even ask."""
        self.set_registries(secure(ca_file=_CA))
        self.assert_found(
            (
                "tls-file",
                f"{REGISTRIES}:11",
                (
                    f"{_CA} does not exist: containerd then pulls nothing from the registries "
                    "with this endpoint"
                ),
                "copy the file there, or correct the path",
            )
        )

    def test_unusable(self) -> None:
        """A file without a certificate, a path in part and a key alone are no better."""
        self.node.write(_CA, "-----BEGIN NOTHING-----\n")
        for settings, problem, fix in (
            (
                {"ca_file": _CA},
                f"{_CA} has no certificate in PEM: {_BROKEN}",
                "convert it to PEM, which begins with -----BEGIN CERTIFICATE-----",
            ),
            (
                {"ca_file": "ca.pem"},
                f"ca.pem does not exist: {_BROKEN}",
                "write an absolute path",
            ),
            (
                {"key_file": _CA},
                f"key_file is set, but cert_file is not: {_BROKEN}",
                "add cert_file, or remove key_file",
            ),
        ):
            self.set_registries(secure(**settings))
            self.assert_found(("tls-file", f"{REGISTRIES}:11", problem, fix))

    def test_directory(self) -> None:
        """A directory is not a file, even if it has one."""
        self.node.write(f"{_CA}/ca.crt", make_certificate(is_authority=True))
        self.set_registries(secure(ca_file=_CA))
        problem = f"{_CA} is a directory: {_BROKEN}"
        golden = ("tls-file", f"{REGISTRIES}:11", problem, "write the path of a file in it")
        self.assert_found(golden)
        self.assertEqual(self.node_files().unread, {})

    def node_files(self) -> NodeFiles:
        """Read the node, and return its files."""
        files = NodeFiles(self.node.prefix)
        inspect_node(files)
        return files

    def test_rule_tls_expired(self) -> None:
        """An expired authority is reported."""
        self.node.write(_CA, make_certificate(is_authority=True, days=-1))
        self.set_registries(secure(ca_file=_CA))
        self.assert_found(
            (
                "tls-expired",
                f"{REGISTRIES}:11",
                (f"all certificates in {_CA} have expired or are not valid yet: each pull fails"),
                "replace the file by a current one",
            )
        )

    def test_expired_client(self) -> None:
        """An expired client certificate is reported."""
        self.node.write(_CA, make_certificate(days=-1))
        self.set_registries(secure(cert_file=_CA, key_file=_CA))
        self.assert_found(
            (
                "tls-expired",
                f"{REGISTRIES}:11",
                f"{_CA} has expired or is not valid yet: the endpoint refuses it",
                "renew it, and restart K3s",
            )
        )

    def test_rule_tls_name(self) -> None:
        """A server's own certificate has the name of the endpoint."""
        self.node.write(_CA, make_certificate(["traefik.example"]))
        self.set_registries(secure(ca_file=_CA))
        self.assert_found(
            (
                "tls-name",
                f"{REGISTRIES}:11",
                (
                    f"{_CA} is a server certificate for traefik.example, but the endpoint is "
                    "registry.example: each pull fails"
                ),
                (
                    "issue one with registry.example among its alternative names, or change "
                    "the endpoint's host"
                ),
            )
        )

    def test_no_name(self) -> None:
        """k3s-io/k3s#2429: a certificate without alternative names matches no endpoint."""
        self.node.write(_CA, make_certificate())
        self.set_registries(secure("192.0.2.1:5000", ca_file=_CA))
        (found,) = self.node.diagnose()
        self.assertEqual(
            (found.rule.id, found.problem),
            (
                "tls-name",
                (
                    f"{_CA} is a server certificate without alternative names, but the endpoint "
                    "is 192.0.2.1: each pull fails"
                ),
            ),
        )

    def test_not_verified(self) -> None:
        """With insecure_skip_verify, validity and names are not checked."""
        self.node.write(_CA, make_certificate(days=-1))
        self.set_registries(secure(ca_file=_CA, insecure_skip_verify="true"))
        self.assert_nothing_found()

    def test_common_name(self) -> None:
        """A server's name that is its common name alone counts for nothing."""
        for host, names in (("registry.example", ()), ("192.0.2.1", ("DNS:192.0.2.1",))):
            content = make_certificate(names, is_authority=True, common_name=host)
            self.node.write(_CA, content)
            self.set_registries(secure(f"{host}:5000", ca_file=_CA))
            (found,) = self.node.diagnose()
            self.assertEqual(found.rule.id, "tls-name", host)

    def test_client_keys(self) -> None:
        """A key is that of its certificate, and can be read; it may stand in the same file."""
        ours, others = make_certificate(), make_certificate()
        locked = make_certificate(password=b"p")
        alone = ours.partition(b"-----BEGIN PRIVATE")[0]
        self.node.write(_KEY, others)
        for content, settings, problem in (
            (ours, {}, ""),
            (ours, {"key_file": _KEY}, f"{_KEY} is not the key of {_CA}"),
            (locked, {"key_file": _CA}, f"{_CA} is encrypted"),
            (alone, {}, f"{_CA} has no private key in PEM"),
        ):
            self.node.write(_CA, content)
            self.set_registries(secure(cert_file=_CA, **settings))
            problems = [found.problem for found in self.node.diagnose()]
            self.assertEqual(problems, [f"{problem}: {_BROKEN}"] if problem else [])


class CertificatesTests(SynchronousTestCase):
    """Tests for ``parse_certificates``."""

    def test_several(self) -> None:
        """All certificates of a file are read."""
        content = make_certificate(["a.example"]) + make_certificate(["b.example"])
        names = [certificate.names for certificate in parse_certificates(content)]
        self.assertEqual(names, [["a.example"], ["b.example"]])

    def test_names(self) -> None:
        """A wildcard stands for one label, and an address for itself however it is written."""
        (certificate,) = parse_certificates(make_certificate(["*.example", "::1", "A.test"]))
        for host, is_for in (
            ("a.example", True),
            ("a.b.example", False),
            ("example", False),
            (".example", False),
            ("0:0::1", True),
            ("a.TEST", True),
        ):
            self.assertIs(certificate.is_for(host), is_for, host)

    def test_none(self) -> None:
        """What holds none is refused."""
        for content in (b"", b"\0\xff", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END"):
            self.assertRaises(CertificateInvalid, parse_certificates, content)
