"""Image references: what ``docker pull`` takes, and lists of them.

Grammar: the reference package of the distribution project. A name without a host is one
of the Docker Hub, and one of a single part there is one of its ``library``.
"""

from collections.abc import Iterable, Iterator
from typing import Self

import attrs

from minreg.names import (
    DOCKER_HUB,
    Digest,
    DigestInvalid,
    NameInvalid,
    is_host,
    is_tag,
    parse_host,
    parse_repository,
)

_DEFAULT_TAG = "latest"


class ReferencesInvalid(NameInvalid):
    """Image references break their grammar; one line for each, with where it stands."""


@attrs.frozen(order=True)
class ImageReference:
    """An image at an upstream registry: by tag, by digest, or by digest with a tag to set.

    ``tag`` is empty for an image that is named by its digest alone. ``port`` is what the
    name has and ``host`` lacks: ``:443`` or ``:80``, which make no other registry of it.
    """

    host: str
    repository: str
    tag: str
    digest: Digest | None = None
    port: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``[host[:port]/]repository[:tag][@digest]``.

        Raises:
            NameInvalid: A part breaks its grammar.
            DigestInvalid: The digest does.
        """
        if "://" in text:
            raise NameInvalid("an image has no https:// before its name: leave it out")
        named, at, digest_text = text.partition("@")
        digest = Digest.parse(digest_text) if at else None
        name, tag = _split_tag(named)
        host, port, repository = _split_host(name)
        if tag and not is_tag(tag):
            raise NameInvalid(f"{tag[:160]!r} is no tag")
        if not tag and digest is None:
            tag = _DEFAULT_TAG
        return cls(host, parse_repository(repository), tag, digest, port)

    def place(self, *, trimmed: bool) -> str:
        """Name the place in a registry tree, with the host's name or ``trimmed`` of it."""
        return self.repository if trimmed else f"{self.host}/{self.repository}"

    @property
    def address(self) -> str:
        """The registry as it is to be asked: its host, with each port that the name has."""
        return f"{self.host}{self.port}"

    @property
    def reference(self) -> str:
        """What the upstream registry is asked for: the digest, or else the tag."""
        return str(self.digest) if self.digest is not None else self.tag

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        return f"{self.address}/{self.repository}{tag}{digest}"


def parse_references(lines: Iterable[str], source: str) -> list[ImageReference]:
    """Read a list of images: one a line, blank lines and comments (``#``) left out.

    Args:
        lines: The lines.
        source: Where they come from, for the message: the name of a file.

    Raises:
        ReferencesInvalid: Some are malformed; the text has a line for each.
    """
    references = []
    complaints = []
    for number, text in _stripped(lines):
        try:
            references.append(ImageReference.parse(text))
        except (NameInvalid, DigestInvalid) as error:
            complaints.append(f"{source}:{number}: {text[:160]!r} names no image: {error}")
    if complaints:
        raise ReferencesInvalid("\n".join(complaints))
    return references


def _stripped(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if text:
            yield number, text


def _split_tag(named: str) -> tuple[str, str]:
    """Split off the tag: a colon behind the last slash; before it, it is a port's."""
    name, colon, tag = named.rpartition(":")
    if not colon or "/" in tag:
        return named, ""
    if not tag:
        raise NameInvalid(f"{named[:160]!r} ends where its tag should be")
    return name, tag


def _split_host(name: str) -> tuple[str, str, str]:
    """Split a name into host, port as far as the host lacks it, and repository."""
    first, slash, rest = name.partition("/")
    if not slash or not is_host(first):
        host, port, repository = DOCKER_HUB, "", name
    else:
        host, repository = parse_host(first), rest
        port = first.lower().removeprefix(host) if host != DOCKER_HUB else ""
    if host == DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    return host, port, repository
