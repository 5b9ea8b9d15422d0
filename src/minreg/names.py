"""What things are called in a registry: repositories, tags, digests, registry hosts.

Each name has a grammar, and everything that comes from outside (a path, a query, a
file's name, a line of a list) passes it before it is used for anything else.
Grammars: OCI distribution-spec, "Pulling manifests"; OCI image-spec, "Digests"; the
reference grammar of the distribution project for hosts and whole references.
"""

import hashlib
import re
from typing import Self

import attrs

DOCKER_HUB = "docker.io"
"""The registry that a name without a host belongs to."""

_DOCKER_HUB_HOSTS = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_DIGEST = re.compile(r"(sha256):([0-9a-f]{64})|(sha512):([0-9a-f]{128})")
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_HOST = re.compile(
    rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])(?::[0-9]{{1,5}})?", re.ASCII | re.IGNORECASE
)
_DEFAULT_PORT = re.compile(r":(?:443|80)\Z")
_LONGEST_NAME = 255


class NameInvalid(ValueError):
    """A repository, tag, host or reference breaks its grammar."""


class DigestInvalid(ValueError):
    """A digest breaks its grammar, or its algorithm is none that a registry uses."""


@attrs.frozen(order=True)
class Digest:
    """The address of content: an algorithm and what it makes of the bytes.

    Source: OCI image-spec, descriptor.md, "Digests". Only the two algorithms that
    every client implements are known here.
    """

    algorithm: str
    encoded: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``sha256:<64 hex>`` or ``sha512:<128 hex>``.

        Raises:
            DigestInvalid: The text is no such digest.
        """
        match = _DIGEST.fullmatch(text)
        if match is None:
            raise DigestInvalid(
                f"{text[:160]!r} is no digest: sha256: and 64, or sha512: and 128, "
                "lower-case hexadecimal digits"
            )
        algorithm, encoded = (group for group in match.groups() if group)
        return cls(algorithm, encoded)

    @classmethod
    def of(cls, content: bytes, algorithm: str = "sha256") -> Self:
        """Compute the digest of ``content``."""
        return cls(algorithm, hashlib.new(algorithm, content).hexdigest())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"


def is_repository(text: str) -> bool:
    """Tell whether ``text`` is a repository's name by the specification's grammar."""
    return len(text) <= _LONGEST_NAME and _REPOSITORY.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Tell whether ``text`` is a tag by the specification's grammar."""
    return _TAG.fullmatch(text) is not None


def parse_repository(text: str) -> str:
    """Check a repository's name, such as ``rancher/mirrored-pause``.

    Raises:
        NameInvalid: It breaks the grammar, or is longer than 255 characters.
    """
    if not is_repository(text):
        raise NameInvalid(
            f"{text[:160]!r} is no repository's name: lower-case letters, digits and "
            "single separators, in parts divided by '/', 255 characters at most"
        )
    return text


def parse_reference(text: str) -> str | Digest:
    """Read what names a manifest in a repository: a tag (``str``) or a digest.

    A ``+`` is read as the ``-`` that stands for it in tags: release ``v1.30.1+k3s1``
    is tagged ``v1.30.1-k3s1``.

    Raises:
        DigestInvalid: The text has a colon, as only digests do, and is none.
        NameInvalid: It is no tag.
    """
    if ":" in text:
        return Digest.parse(text)
    tag = text.replace("+", "-")
    if not is_tag(tag):
        raise NameInvalid(
            f"{text[:160]!r} is no tag: up to 128 letters, digits, '_', '.' and '-', "
            "the first neither '.' nor '-'"
        )
    return tag


def is_host(text: str) -> bool:
    """Tell whether the first part of a name is a registry's host, not a path.

    As in image references: it has a dot or a port, or is ``localhost``.
    """
    marked = "." in text or ":" in text or text == "localhost"
    return marked and _is_host_name(text)


def parse_host(text: str) -> str:
    """Read a registry's host, and return the one spelling that stands for it.

    Lower case, without a default port, and ``docker.io`` for the three names of the
    Docker Hub.

    Raises:
        NameInvalid: It is no host name or address, with or without a port.
    """
    if not _is_host_name(text):
        raise NameInvalid(
            f"{text[:160]!r} is no registry host: a host name or address, "
            "with a port where it needs one"
        )
    host = _DEFAULT_PORT.sub("", text.lower())
    return DOCKER_HUB if host in _DOCKER_HUB_HOSTS else host


def _is_host_name(text: str) -> bool:
    return len(text) <= _LONGEST_NAME and _HOST.fullmatch(text) is not None
