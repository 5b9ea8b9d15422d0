"""A registry that answers again what it has answered before, and what one sees of it."""

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.logger import LogEvent

from minreg.interfaces import IRegistryStore
from minreg.names import Digest
from minreg.store.tree import RegistryTree
from minreg.web import request
from tests.support import ALIASES, WebTestCase

TAG = "/v2/rancher/pause/manifests/3.6"
LAYER = b"layer"
BLOB = f"/v2/rancher/pause/blobs/{Digest.of(LAYER)}"
LATER = 10_000_000_000
FIELDS = ("client", "method", "path", "ns", "status", "bytes", "user_agent", "failure")


class ShortcutTestCase(WebTestCase):
    """A registry that trusts its files, with an image in it."""

    def setUp(self) -> None:
        """Put an image into the tree, and stop the clock of Date, which no answer decides."""
        super().setUp()
        self.patch(request, "_date_of", lambda _second: b"Tue, 14 Nov 2023 22:13:20 GMT")
        self.digest = self.tree.add_image("rancher/pause", "3.6", LAYER)
        self.site = self.make_site(self.make_store())

    def make_store(self) -> IRegistryStore:
        """Make a store to which all files are old."""
        return RegistryTree(self.root, ALIASES, now=lambda: time.time_ns() + LATER)

    def watch(self) -> list[object]:
        """Build a new site, and return a list of all looks at the disk that it takes."""
        looks: list[object] = []

        def in_thread(look: Callable[..., Any], *args: object) -> Deferred[Any]:
            looks.append(look)
            return execute(look, *args)

        self.site = self.make_site(self.make_store(), in_thread=in_thread)
        return looks


def said(event: LogEvent) -> list[object]:
    """Return what a line of the log says, except when and how long."""
    return [event[field] for field in FIELDS]
