"""Finds K3s releases: the one that a channel names, and the images that it needs.

Sources: K3s' install script, which follows the redirect of a channel's URL to a release; and
``k3s-images.txt``, a file of each release.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, unquote, urlsplit

import attrs

from minreg.defaults import CHANNEL_URL, RELEASE_URL
from minreg.fill.errors import FillError, HostUnreachable, UpstreamRefused
from minreg.fill.progress import Requesting, Show
from minreg.fill.upstream.retries import Retries
from minreg.fill.upstream.transport import Response, Transport, check_available, discard
from minreg.fill.upstream.url_policy import resolve_redirect
from minreg.oci.names import ImageReference, parse_references
from minreg.store.tree import LARGEST_LIST, is_release, release_path

_CHANNEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,64}")
_MAX_REDIRECTS = 10


@attrs.frozen
class Release:
    """A release. ``content`` is its list of images as it was published."""

    version: str
    content: bytes
    images: tuple[ImageReference, ...]

    @property
    def path(self) -> str:
        """The path of the list in a tree, below the root."""
        return release_path(self.version)


@attrs.frozen
class Releases:
    """The servers of K3s that name releases and their images, or mirrors of them.

    ``show`` is called before each request.
    """

    transport: Transport
    retries: Retries
    channel_url: str = CHANNEL_URL
    release_url: str = RELEASE_URL
    show: Show = lambda _: None

    def find(self, name: str) -> Release:
        """Return the release of a version (``v1.33.4+k3s1``) or a channel (``stable``).

        Raises:
            FillError: The release does not exist, or a server could not be reached.
            ReferencesInvalid: Its list of images is invalid.
        """
        version = name if is_release(name) else self._find_version(name)
        url = f"{self.release_url.rstrip('/')}/{quote(version, safe='')}/k3s-images.txt"
        self._show_request(url, f"the list of images of K3s {version}")
        content = self.retries.run(lambda: self._read(url))
        try:
            lines = content.decode("ascii").splitlines()
        except UnicodeDecodeError:
            raise FillError(
                f"{url} is not a list of images: it is not ASCII; check --release-url"
            ) from None
        return Release(version, content, tuple(parse_references(lines, url)))

    def _find_version(self, channel: str) -> str:
        if _CHANNEL.fullmatch(channel) is None:
            raise FillError(
                f"{channel[:80]!r} is neither a version of K3s, such as v1.33.4+k3s1, nor a "
                "channel, such as stable"
            )
        url = f"{self.channel_url.rstrip('/')}/{channel}"
        self._show_request(url, f"the K3s release of channel {channel}")
        return self.retries.run(lambda: self._follow_channel(url))

    def _show_request(self, url: str, resource: str) -> None:
        self.show(Requesting(urlsplit(url).netloc, resource, self.retries.attempts))

    def _follow_channel(self, url: str) -> str:
        """Return the version in the first redirect that names a release."""
        target = url
        for _ in range(_MAX_REDIRECTS):
            with _mirror_option("--channel-url"):
                response = self.transport.send("GET", target, {})
            check_available(response, target)
            location = response.headers.get("Location")
            discard(response)
            if location is None:
                raise UpstreamRefused(
                    f"{url} does not lead to a K3s release (status {response.status}); "
                    "check that the channel exists",
                    response.status,
                )
            target = resolve_redirect(target, location)
            last = unquote(urlsplit(target).path.rstrip("/").rpartition("/")[2])
            if is_release(last):
                return last
        raise UpstreamRefused(f"{url} redirects more than {_MAX_REDIRECTS} times")

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
                raise UpstreamRefused(
                    f"{url} is not a list of images: it has more than {LARGEST_LIST} bytes"
                )
        return bytes(content)

    def _refusal(self, response: Response, url: str) -> UpstreamRefused:
        discard(response)
        return UpstreamRefused(
            f"{url} cannot be downloaded (status {response.status}); "
            "check that the release exists",
            response.status,
        )


@contextmanager
def _mirror_option(option: str) -> Iterator[None]:
    """Add the option that names a mirror to the error of a server that is unreachable."""
    try:
        yield
    except HostUnreachable as error:
        raise error.with_remedy(f"mirror: {option}") from None
