"""What certificates say of themselves: whom they are for, and how long.

Source: RFC 5280 (basic constraints, key usage, validity), RFC 9525 (names; wildcards stand for
one label, the common name counts for nothing, and an address is an address only among those, as
in Go's ``crypto/x509``).
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
    """There is no certificate in it, or none that can be read."""


@attrs.frozen
class Certificate:
    """A certificate: whom it is for, and from when to when, in seconds since the epoch.

    An address that stands among its names is called ``DNS:`` and that. ``key`` is its public
    key (RFC 5280, 4.1.2.7). ``signs_others`` says that it is one of an authority, whose own
    names say nothing of the servers that it vouches for.
    """

    names: Sequence[str]
    begins: float
    ends: float
    signs_others: bool
    common_name: str
    key: bytes

    def is_valid_at(self, time: float) -> bool:
        """Tell whether it is valid at a time."""
        return self.begins <= time <= self.ends

    def is_for(self, host: str) -> bool:
        """Tell whether it is for a host, which is a name or an address without a port."""
        return any(_matches(name, host.lower()) for name in self.names)


def parse_certificates(content: bytes) -> Sequence[Certificate]:
    """Read all certificates of a file in PEM.

    Raises:
        CertificateInvalid: It has none.
    """
    try:
        return [_describe(one) for one in x509.load_pem_x509_certificates(content)]
    except ValueError as error:
        raise CertificateInvalid(str(error)) from None


def parse_key(content: bytes) -> bytes:
    """Read the private key of a file in PEM, and return the public one that belongs to it.

    Raises:
        CertificateInvalid: It has none that can be read; the text says why.
    """
    try:
        key = load_pem_private_key(content, None).public_key()
    except TypeError:
        raise CertificateInvalid("is encrypted") from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateInvalid("holds no key in PEM") from None
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
        # openssl makes "authorities" of self-signed certificates of servers: those have names.
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
