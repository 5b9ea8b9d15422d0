"""Makes certificates for tests."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)


def make_certificate(
    names: Sequence[str] = (),
    *,
    days: int = 365,
    is_authority: bool = False,
    common_name: str = "a test",
    password: bytes | None = None,
) -> bytes:
    """Make a certificate that vouches for itself, and behind it its key, in PEM.

    Args:
        names: The names and addresses that it is for.
        days: How long it is valid yet; a negative number for how long it is no longer.
        is_authority: Whether it may sign others.
        common_name: Whose it is.
        password: What the key is encrypted with, if it is.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1000))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
    )
    if names:
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    written = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM) + written


def _general_name(text: str) -> x509.GeneralName:
    if text.startswith("DNS:"):
        return x509.DNSName(text.removeprefix("DNS:"))
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
