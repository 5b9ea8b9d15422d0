"""Parses certificates and private keys.

Sources: RFC 5280 for basic constraints, key usage and validity; RFC 9525 for names. As in Go's
``crypto/x509``, a wildcard stands for one label, the common name is ignored, and an IP address
matches only the alternative names that are addresses.
"""

from collections.abc import Sequence
from ipaddress import ip_address

import attrs
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)


class CertificateInvalid(ValueError):
    """A file has no certificate or key that can be read."""


@attrs.frozen
class Certificate:
    """A certificate.

    ``names`` are the alternative names in lower case; an IP address that was entered as a DNS
    name, and hence matches no host, has ``DNS:`` before it. ``begins`` and ``ends`` are the
    validity in seconds since the epoch. ``signs_others`` is true for a certificate authority,
    whose own names do not matter. ``key`` is the public key (RFC 5280, section 4.1.2.7).
    """

    names: Sequence[str]
    begins: float
    ends: float
    signs_others: bool
    common_name: str
    key: bytes

    def is_valid_at(self, time: float) -> bool:
        """Return whether it is valid at a time in seconds since the epoch."""
        return self.begins <= time <= self.ends

    def is_for(self, host: str) -> bool:
        """Return whether it is for a host: a name or an address, without a port."""
        return any(_matches(name, host.lower()) for name in self.names)


def parse_certificates(content: bytes) -> Sequence[Certificate]:
    """Parse all certificates of a PEM file.

    Raises:
        CertificateInvalid: It has none, or one that cannot be read.
    """
    try:
        return [_describe(certificate) for certificate in x509.load_pem_x509_certificates(content)]
    except ValueError as error:
        raise CertificateInvalid(str(error)) from None


def parse_key(content: bytes) -> bytes:
    """Parse the private key of a PEM file, and return its public key in DER.

    Raises:
        CertificateInvalid: It has no key that can be read; the message says why.
    """
    try:
        key = load_pem_private_key(content, None).public_key()
    except TypeError:
        raise CertificateInvalid("is encrypted") from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateInvalid("has no private key in PEM") from None
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _describe(certificate: x509.Certificate) -> Certificate:
    names: list[str] = []
    is_authority = may_sign = False
    for extension in certificate.extensions:
        match extension.value:
            case x509.SubjectAlternativeName() as alternatives:
                names += map(_dns_name, alternatives.get_values_for_type(x509.DNSName))
                names += map(str, alternatives.get_values_for_type(x509.IPAddress))
            case x509.BasicConstraints(ca=ca):
                is_authority = ca
            case x509.KeyUsage(key_cert_sign=key_cert_sign):
                may_sign = key_cert_sign
    common_names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return Certificate(
        names,
        certificate.not_valid_before_utc.timestamp(),
        certificate.not_valid_after_utc.timestamp(),
        # openssl req -x509 marks each certificate as an authority, even that of a server, which
        # has alternative names, and no key usage for signing.
        is_authority and (may_sign or not names),
        str(common_names[0].value).lower() if common_names else "",
        certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    )


def _dns_name(name: str) -> str:
    try:
        return f"DNS:{ip_address(name)}"
    except ValueError:
        return name.lower()


def _matches(name: str, host: str) -> bool:
    if name.startswith("*."):
        return host.partition(".")[2] == name[2:] and not host.startswith(".")
    try:
        return ip_address(name) == ip_address(host)
    except ValueError:
        return name == host
