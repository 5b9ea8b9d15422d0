"""A registry and its status, in memory."""

from twisted.internet.defer import execute

from minreg.store.tree import RegistryTree
from minreg.web.disk import DiskIO, ThreadRunner
from minreg.web.site import RegistrySite
from minreg.web.status.context import StatusOptions
from minreg.web.status.resources import make_sites
from tests.support import ALIASES, WebTestCase

NODE = {"User-Agent": "containerd/v2.0.4-k3s2"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}

HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "{format} {0} %s %(x)s ${y} {{z}}",
    "\x1b[2J\x07\x00\x85\u2028\u202e",
    "&amp;&lt;]]>--><!--",
    "x" * 15_000,
)
"""Texts that an attacker might send."""


class StatusTestCase(WebTestCase):
    """A registry over an empty tree, and its status on the same site."""

    options = StatusOptions(ALIASES)

    def setUp(self) -> None:
        """Build the sites."""
        super().setUp()
        self.serve(RegistryTree(self.root, ALIASES))

    def serve(self, store: RegistryTree, in_thread: ThreadRunner = execute) -> None:
        """Serve a store and its status."""
        disk = DiskIO(self.clock, in_thread)
        self.registry, self.site = make_sites(store, disk, self.clock, 10, self.options)

    def ask_registry(self, path: str, headers: dict[str, str] | None = None) -> int:
        """Send a request to the registry's site, and return the status of the response."""
        status: RegistrySite = self.site
        self.site = self.registry
        try:
            return self.request(path, headers=headers).code
        finally:
            self.site = status
