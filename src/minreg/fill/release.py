"""K3s releases: which one a channel names, and which images it needs.

Sources: K3s's install script (the channel's address redirects to the release) and the
files of its releases (``k3s-images.txt``).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, unquote, urlsplit

import attrs

from minreg.defaults import CHANNEL_URL, RELEASE_URL
from minreg.fill.errors import FillError, HostUnreachable, UpstreamRefused
from minreg.fill.progress import Asking, Show
from minreg.fill.upstream.retries import Retries
from minreg.fill.upstream.transport import Response, Transport, check_available, discard
from minreg.fill.upstream.url_policy import redirected
from minreg.oci.names import ImageReference, parse_references
from minreg.store.tree import LARGEST_LIST, is_release, release_path

_CHANNEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,64}")
_MOST_REDIRECTS = 10


@attrs.frozen
class Release:
    """A release, and the list of its images as it was published."""

    version: str
    content: bytes
    images: tuple[ImageReference, ...]

    @property
    def path(self) -> str:
        """Where a tree keeps the list, below its root."""
        return release_path(self.version)


@attrs.frozen
class Releases:
    """Where releases are looked up; a mirror's addresses may stand in for K3s's own."""

    transport: Transport
    retries: Retries
    channel_url: str = CHANNEL_URL
    release_url: str = RELEASE_URL
    show: Show = lambda _: None

    def find(self, name: str) -> Release:
        """Find a release by its version (``v1.33.4+k3s1``) or its channel (``stable``).

        Raises:
            FillFailure: There is no such release, or no way to learn of it.
        """
        version = name if is_release(name) else self._find_version(name)
        url = f"{self.release_url.rstrip('/')}/{quote(version, safe='')}/k3s-images.txt"
        self._tell(url, f"the list of images of K3s {version}")
        content = self.retries.run(lambda: self._read(url))
        try:
            lines = content.decode("ascii").splitlines()
        except UnicodeDecodeError:
            raise FillError(f"{url} is no list of images") from None
        return Release(version, content, tuple(parse_references(lines, url)))

    def _find_version(self, channel: str) -> str:
        if _CHANNEL.fullmatch(channel) is None:
            raise FillError(f"{channel[:80]!r} is neither a version of K3s nor a channel")
        url = f"{self.channel_url.rstrip('/')}/{channel}"
        self._tell(url, f"the K3s release of channel {channel}")
        return self.retries.run(lambda: self._follow_channel(url))

    def _tell(self, url: str, what: str) -> None:
        self.show(Asking(urlsplit(url).netloc, what, self.retries.attempts))

    def _follow_channel(self, url: str) -> str:
        """Follow redirects until one names a release."""
        target = url
        for _ in range(_MOST_REDIRECTS):
            with _mirror_option("--channel-url"):
                response = self.transport.send("GET", target, {})
            check_available(response, target)
            location = response.headers.get("Location")
            discard(response)
            if location is None:
                raise UpstreamRefused(
                    f"{url} leads to no release of K3s (status {response.status}): "
                    "is there such a channel?",
                    response.status,
                )
            target = redirected(target, location)
            last = unquote(urlsplit(target).path.rstrip("/").rpartition("/")[2])
            if is_release(last):
                return last
        raise UpstreamRefused(f"{url} redirects more than {_MOST_REDIRECTS} times")

    def _read(self, url: str) -> bytes:
        with _mirror_option("--release-url"):
            response, target = self.transport.follow("GET", url, {})
        check_available(response, target)
        if response.status != 200:
            raise self._refusal(response, url)
        content = bytearray()
        for chunk in self.transport.iterate_body(response, target):
            content += chunk
            if len(content) > LARGEST_LIST:
                raise UpstreamRefused(f"{url} is too long to be a list of images")
        return bytes(content)

    def _refusal(self, response: Response, url: str) -> UpstreamRefused:
        discard(response)
        return UpstreamRefused(
            f"{url} cannot be had (status {response.status}): is there such a release?",
            response.status,
        )


@contextmanager
def _mirror_option(option: str) -> Iterator[None]:
    """Name the option for a mirror where a server of K3s cannot be reached."""
    try:
        yield
    except HostUnreachable as failure:
        raise failure.with_remedy(f"mirror: {option}") from None
