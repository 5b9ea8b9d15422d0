"""The names of the registry world: media types, digests, repositories, tags, hosts, references.

Everything that a client or a file may contain is matched against its grammar here before it
becomes part of a path or a request. Source: OCI distribution-spec, "Pulling manifests"; OCI
image-spec, media-types.md and descriptor.md; Docker's image manifest version 2, schema 2; the
reference grammar of the distribution project.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Self

import attrs

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
"""Of the release candidates of image-spec 1.1; Notation and ORAS pushed such manifests in 2022."""
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_SCHEMA_1 = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    }
)

OCTET_STREAM = "application/octet-stream"

INDEXES = frozenset({OCI_INDEX, DOCKER_INDEX})
MANIFESTS = frozenset({OCI_MANIFEST, OCI_ARTIFACT, DOCKER_MANIFEST})

_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_MEDIA_TYPE = re.compile(rf"{_NAME}/{_NAME}")


def is_media_type(text: str) -> bool:
    """Return whether ``text`` is a media type without parameters (RFC 6838, section 4.2)."""
    return _MEDIA_TYPE.fullmatch(text) is not None


DOCKER_HUB = "docker.io"
"""The registry of image names that have no host."""

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
    """A digest breaks its grammar, or has an algorithm other than sha256 and sha512."""


@attrs.frozen(order=True)
class Digest:
    """The address of content: a hash algorithm and the hash of the bytes.

    Source: OCI image-spec, descriptor.md, "Digests". Only the two registered algorithms that
    every client implements are supported.
    """

    algorithm: str
    encoded: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``sha256:<64 hex>`` or ``sha512:<128 hex>``.

        Raises:
            DigestInvalid: The text is not such a digest.
        """
        match = _DIGEST.fullmatch(text)
        if match is None:
            raise DigestInvalid(
                f"{text[:160]!r} is not a digest: it is sha256: and 64, or sha512: and 128, "
                "lower-case hexadecimal digits"
            )
        algorithm, encoded = (group for group in match.groups() if group)
        return cls(algorithm, encoded)

    @classmethod
    def of(cls, content: bytes, algorithm: str = "sha256") -> Self:
        """Return the digest of ``content``."""
        return cls(algorithm, hashlib.new(algorithm, content).hexdigest())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"


EMPTY_BLOBS = frozenset(str(Digest.of(b"", algorithm)) for algorithm in ("sha256", "sha512"))
"""The digests of no bytes. Only a file of such a name may be empty."""


def is_repository(text: str) -> bool:
    """Return whether ``text`` is a repository name by the specification's grammar."""
    return len(text) <= _LONGEST_NAME and _REPOSITORY.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Return whether ``text`` is a tag by the specification's grammar."""
    return _TAG.fullmatch(text) is not None


def parse_repository(text: str) -> str:
    """Check a repository name such as ``rancher/mirrored-pause``, and return it.

    Raises:
        NameInvalid: It breaks the grammar, or is longer than 255 characters.
    """
    if not is_repository(text):
        raise NameInvalid(
            f"{text[:160]!r} is not a repository name: it has lower-case letters, digits and "
            "single separators, in parts separated by '/', 255 characters at most"
        )
    return text


def parse_reference(text: str) -> str | Digest:
    """Parse what names a manifest in a repository: a tag (``str``) or a digest.

    A ``+`` is read as ``-``, which replaces it in tags: release ``v1.30.1+k3s1`` has the tag
    ``v1.30.1-k3s1``.

    Raises:
        DigestInvalid: The text has a colon, as only digests do, and is not a digest.
        NameInvalid: It is not a tag.
    """
    if ":" in text:
        return Digest.parse(text)
    tag = text.replace("+", "-")
    if not is_tag(tag):
        raise NameInvalid(
            f"{text[:160]!r} is not a tag: it has up to 128 letters, digits, '_', '.' and '-', "
            "the first neither '.' nor '-'"
        )
    return tag


def is_host(text: str) -> bool:
    """Return whether the first part of a name is a registry's host, and not a path.

    As in image references, a host has a dot or a port, or is ``localhost``.
    """
    has_mark = "." in text or ":" in text or text == "localhost"
    return has_mark and _is_host_name(text)


def parse_host(text: str) -> str:
    """Parse a registry's host, and return it in its normalized spelling.

    That is lower case, without a default port, and ``docker.io`` for the three names of
    Docker Hub.

    Raises:
        NameInvalid: It is not a host name or address, with or without a port.
    """
    if not _is_host_name(text):
        raise NameInvalid(
            f"{text[:160]!r} is not a registry host: it is a host name or address, "
            "with a port if it needs one"
        )
    host = _DEFAULT_PORT.sub("", text.lower())
    return DOCKER_HUB if host in _DOCKER_HUB_HOSTS else host


def _is_host_name(text: str) -> bool:
    return len(text) <= _LONGEST_NAME and _HOST.fullmatch(text) is not None


_DEFAULT_TAG = "latest"


class ReferencesInvalid(NameInvalid):
    """Image references break their grammar. The message has a line for each, with its position."""


@attrs.frozen(order=True)
class ImageReference:
    """A reference to an image at an upstream registry.

    Attributes:
        host: The registry's host, as ``parse_host`` returns it.
        repository: The repository.
        tag: The tag; empty if the reference has only a digest.
        digest: The digest, if the reference has one. Then the tag is only a name to set.
        port: ``:443`` or ``:80`` if the reference has it: ``host`` leaves out a default port,
            but requests need it.
    """

    host: str
    repository: str
    tag: str
    digest: Digest | None = None
    port: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``[host[:port]/]repository[:tag][@digest]``.

        Raises:
            NameInvalid: A part breaks its grammar.
            DigestInvalid: The digest breaks its grammar.
        """
        if "://" in text:
            raise NameInvalid("an image has no https:// before its name: leave it out")
        named, at, digest_text = text.partition("@")
        digest = Digest.parse(digest_text) if at else None
        name, tag = _split_tag(named)
        host, port, repository = _split_host(name)
        if tag and not is_tag(tag):
            raise NameInvalid(f"{tag[:160]!r} is not a tag")
        if not tag and digest is None:
            tag = _DEFAULT_TAG
        return cls(host, parse_repository(repository), tag, digest, port)

    def repository_path(self, *, trimmed: bool) -> str:
        """Return the path in a registry tree; if ``trimmed``, it is without the host's name."""
        return self.repository if trimmed else f"{self.host}/{self.repository}"

    @property
    def address(self) -> str:
        """The host and port to send requests to."""
        return f"{self.host}{self.port}"

    @property
    def reference(self) -> str:
        """What to request from the upstream registry: the digest, or else the tag."""
        return str(self.digest) if self.digest is not None else self.tag

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        return f"{self.address}/{self.repository}{tag}{digest}"


def parse_references(lines: Iterable[str], source: str) -> list[ImageReference]:
    """Parse a list of images, one per line. Blank lines and comments (``#``) are skipped.

    Args:
        lines: The lines.
        source: The name of the file or option that they are from, for the error message.

    Raises:
        ReferencesInvalid: Some are malformed. The message has a line for each.
    """
    references = []
    problems = []
    for number, text in _stripped(lines):
        try:
            references.append(ImageReference.parse(text))
        except (NameInvalid, DigestInvalid) as error:
            problems.append(f"{source}:{number}: {text[:160]!r} is not an image name: {error}")
    if problems:
        raise ReferencesInvalid("\n".join(problems))
    return references


def _stripped(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if text:
            yield number, text


def _split_tag(named: str) -> tuple[str, str]:
    """Split a reference into name and tag. A colon before the last slash belongs to a port."""
    name, colon, tag = named.rpartition(":")
    if not colon or "/" in tag:
        return named, ""
    if not tag:
        raise NameInvalid(f"{named[:160]!r} has an empty tag")
    return name, tag


def _split_host(name: str) -> tuple[str, str, str]:
    """Split a name into normalized host, the default port that this lacks, and repository."""
    first, slash, rest = name.partition("/")
    if not slash or not is_host(first):
        host, port, repository = DOCKER_HUB, "", name
    else:
        host, repository = parse_host(first), rest
        port = first.lower().removeprefix(host) if host != DOCKER_HUB else ""
    if host == DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    return host, port, repository
