"""Finds the certificate authorities that the system trusts.

OpenSSL looks in the directory that was chosen when it was built. A Python that was built on
another distribution finds nothing there.
"""

import os
import re
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress

BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL 6 to 9
    "/etc/ssl/ca-bundle.pem",  # SLES, openSUSE
    "/etc/pki/tls/cacert.pem",  # OpenELEC
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # RHEL 7 and later
    "/etc/ssl/cert.pem",  # Alpine
)
"""Where distributions keep all authorities in one file.

Source: Go, ``crypto/x509/root_linux.go``.
"""

# OpenSSL finds a certificate in a directory by a hash of its subject (openssl-rehash(1)).
_HASHED_NAME = re.compile(r"[0-9a-f]{8}\.\d+")


def load_system_authorities(
    context: ssl.SSLContext, environment: Mapping[str, str], bundles: Sequence[str] = BUNDLES
) -> None:
    """Load the first bundle that exists, if OpenSSL itself has found no authority.

    Args:
        context: A context with the default authorities.
        environment: If ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` is set, only these apply.
        bundles: Files of authorities in PEM. One that cannot be used is skipped.
    """
    if environment.get("SSL_CERT_FILE") or environment.get("SSL_CERT_DIR"):
        return
    if context.cert_store_stats()["x509_ca"] or _has_hashed(ssl.get_default_verify_paths().capath):
        return
    for bundle in bundles:
        with suppress(OSError):
            context.load_verify_locations(bundle)
            return


def _has_hashed(directory: str | None) -> bool:
    """Return whether OpenSSL finds certificates in a directory."""
    if directory is None:
        return False
    with suppress(OSError), os.scandir(directory) as entries:
        return any(_HASHED_NAME.fullmatch(entry.name) for entry in entries)
    return False
