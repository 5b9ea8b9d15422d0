"""An image's name as the kubelet hands it to containerd.

Source: the reference package of the distribution project, ``ParseDockerRef``: a name with a tag
and a digest loses the tag.
"""

from typing import Self

import attrs

from minreg.names import (
    DOCKER_HUB,
    Digest,
    NameInvalid,
    is_host,
    is_tag,
    parse_repository,
)

_DEFAULT_TAG = "latest"
_OLD_HUB = "index.docker.io"


@attrs.frozen
class ImageName:
    """A registry's host as it was written, a repository there, and a tag or a digest.

    Other than in the name of a place in a tree, a default port stays: to containerd,
    ``example.com:443`` is another registry than ``example.com``.
    """

    host: str
    repository: str
    reference: str | Digest

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``[host[:port]/]repository[:tag][@digest]``.

        Raises:
            NameInvalid: A part breaks its grammar.
            DigestInvalid: The digest does.
        """
        named, at, digest = text.partition("@")
        first, slash, rest = named.partition("/")
        host, path = (first, rest) if slash and is_host(first) else (DOCKER_HUB, named)
        host = DOCKER_HUB if host == _OLD_HUB else host
        repository, colon, tag = path.partition(":")
        if host == DOCKER_HUB and "/" not in repository:
            repository = f"library/{repository}"
        if colon and not is_tag(tag):
            raise NameInvalid(f"{tag[:160]!r} is no tag")
        reference = Digest.parse(digest) if at else tag or _DEFAULT_TAG
        return cls(host, parse_repository(repository), reference)

    def __str__(self) -> str:
        mark = "@" if isinstance(self.reference, Digest) else ":"
        return f"{self.host}/{self.repository}{mark}{self.reference}"
