"""A registry with a response cache, and an image in it."""

import time

from twisted.logger import LogEvent

from minreg.oci.names import Digest
from minreg.store.interfaces import IRegistryStore
from minreg.store.tree import RegistryTree
from minreg.web import channel
from minreg.web.request import RegistryRequest
from tests.support import ALIASES, WebTestCase

TAG = "/v2/rancher/pause/manifests/3.6"
LAYER = b"layer"
BLOB = f"/v2/rancher/pause/blobs/{Digest.of(LAYER)}"
LATER = 10_000_000_000
FIELDS = ("client", "method", "path", "ns", "status", "bytes", "user_agent", "failure")


class FastPathTestCase(WebTestCase):
    """A registry that treats all files as unchanged for a long time, with an image in it."""

    def setUp(self) -> None:
        """Add an image to the tree, and fix the time in ``Date``."""
        super().setUp()
        self.patch(channel, "_format_date", lambda _second: b"Tue, 14 Nov 2023 22:13:20 GMT")
        self.digest = self.tree.add_image("rancher/pause", "3.6", LAYER)
        self.site = self.make_site(self.make_store())

    def make_store(self) -> IRegistryStore:
        """Return a store whose clock is so far ahead that all files count as old."""
        return RegistryTree(self.root, ALIASES, now=lambda: time.time_ns() + LATER)

    def watch(self) -> list[object]:
        """Return a list that gets each request that is not answered from the cache."""
        asked: list[object] = []
        ordinary = self.site.getResourceFor

        def noting(request: RegistryRequest) -> object:
            asked.append(request)
            return ordinary(request)

        self.patch(self.site, "getResourceFor", noting)
        return asked


def said(event: LogEvent) -> list[object]:
    """Return the text of a line of the log without its time and duration."""
    return [event[field] for field in FIELDS]
