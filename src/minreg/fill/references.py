"""How images are called where they are pulled from: host, repository, tag, digest.

Source: the reference grammar of the distribution project, and its rules for names that
say less than all of it (``busybox`` is ``docker.io/library/busybox:latest``).
"""

from typing import Self

import attrs

from minreg.names import (
    DOCKER_HUB,
    Digest,
    NameInvalid,
    is_host,
    is_tag,
    parse_host,
    parse_repository,
)

_DEFAULT_TAG = "latest"
_OFFICIAL = "library"


@attrs.frozen
class ImageReference:
    """What names an image, and where it comes from.

    ``repository`` is its name on ``host``. ``tag`` is empty for an image that is named by
    its digest alone.
    """

    host: str
    repository: str
    tag: str
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reference as ``docker pull`` takes it.

        Raises:
            NameInvalid: A part of it breaks its grammar.
            DigestInvalid: Its digest does.
        """
        named, at, digest = text.partition("@")
        first, slash, rest = named.partition("/")
        if slash and is_host(first):
            host, named = parse_host(first), rest
        else:
            host = DOCKER_HUB
        repository, colon, tag = named.partition(":")
        if colon and not is_tag(tag):
            raise NameInvalid(f"{text[:160]!r} names an image by {tag[:160]!r}, which is no tag")
        if host == DOCKER_HUB and "/" not in repository:
            repository = f"{_OFFICIAL}/{repository}"
        if not tag and not at:
            tag = _DEFAULT_TAG
        return cls(host, parse_repository(repository), tag, Digest.parse(digest) if at else None)

    def place(self, *, trimmed: bool) -> str:
        """Name the place in a registry tree, with the host's name or ``trimmed`` of it."""
        return self.repository if trimmed else f"{self.host}/{self.repository}"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        return f"{self.host}/{self.repository}{tag}{digest}"
