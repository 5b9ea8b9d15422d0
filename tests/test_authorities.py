"""Tests for ``minreg.fill.upstream.authorities``."""

import os
import ssl
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.upstream.authorities import BUNDLES, load_system_authorities
from tests.certificates import make_certificate


class LoadSystemAuthoritiesTests(SynchronousTestCase):
    """Tests for ``load_system_authorities``, with an OpenSSL that finds nothing itself."""

    def setUp(self) -> None:
        """Make a bundle, and have OpenSSL look for certificates in an empty directory."""
        self.hashed = self.mktemp()
        os.makedirs(self.hashed)
        self.set_directory(self.hashed)
        self.bundle = self.write(make_certificate(is_authority=True))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def set_directory(self, directory: str | None) -> None:
        """Have OpenSSL look for certificates in a directory, and nowhere else."""
        paths: Any = ssl.get_default_verify_paths()
        changed = paths._replace(cafile=None, capath=directory)
        self.patch(ssl, "get_default_verify_paths", lambda: changed)

    def write(self, content: bytes) -> str:
        """Write a file, and return its path."""
        path: str = os.path.abspath(self.mktemp())
        with open(path, "wb") as file:
            file.write(content)
        return path

    def count(self, *bundles: str, **environment: str) -> int:
        """Load, and count the authorities of the context."""
        load_system_authorities(self.context, environment, bundles)
        return self.context.cert_store_stats()["x509_ca"]

    def test_first(self) -> None:
        """The first bundle that exists and can be used is loaded."""
        other = self.write(make_certificate(is_authority=True, common_name="another"))
        absent, invalid = os.path.abspath(self.mktemp()), self.write(b"no certificate")
        self.assertEqual(self.count(absent, invalid, self.bundle, other), 1)

    def test_none(self) -> None:
        """A system without authorities is no error: --ca-file may name one."""
        self.assertEqual(self.count(os.path.abspath(self.mktemp())), 0)

    def test_openssl_has_some(self) -> None:
        """What OpenSSL has found is not added to."""
        self.context.load_verify_locations(self.bundle)
        other = self.write(make_certificate(is_authority=True, common_name="another"))
        self.assertEqual(self.count(other), 1)

    def test_openssl_has_a_directory(self) -> None:
        """Nor is a directory from which OpenSSL loads certificates when it needs them."""
        os.symlink(self.bundle, os.path.join(self.hashed, "0a1b2c3d.0"))
        self.assertEqual(self.count(self.bundle), 0)

    def test_directory_is_absent(self) -> None:
        """A directory that does not exist has no certificates."""
        os.rmdir(self.hashed)
        self.assertEqual(self.count(self.bundle), 1)
        self.set_directory(None)
        self.assertEqual(self.count(self.bundle), 1)

    def test_environment(self) -> None:
        """OpenSSL's variables have the last word."""
        for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
            self.assertEqual(self.count(self.bundle, **{name: "/nowhere"}), 0)

    def test_bundles(self) -> None:
        """Those of Debian, RHEL, SLES and Alpine are looked for."""
        for bundle in (
            "/etc/ssl/certs/ca-certificates.crt",
            "/etc/pki/tls/certs/ca-bundle.crt",
            "/etc/ssl/ca-bundle.pem",
            "/etc/ssl/cert.pem",
        ):
            self.assertIn(bundle, BUNDLES)
