"""Two registries in memory and an empty tree, for tests of downloads."""

import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.download import Download, Network
from minreg.fill.plan import Plan
from minreg.fill.progress import Event, ImageEnded, Summary
from minreg.fill.resolve import Selection
from minreg.fill.tree.writer import TreeWriter
from minreg.fill.upstream.registry import Upstreams
from minreg.fill.upstream.retries import Retries
from minreg.oci.names import ImageReference
from minreg.store.tree import RegistryTree
from tests.canned import Canned, CannedTransport, MemoryRegistry, Sent, quick_retries


class DownloadTestCase(SynchronousTestCase):
    """A download from two registries in memory into an empty tree."""

    def setUp(self) -> None:
        """Create two images that share a layer, and one of the same name in another registry."""
        self.registry, self.other = MemoryRegistry(), MemoryRegistry()
        self.a = self.registry.add_index(
            "a", self.registry.add_image("a", "amd64", b"base", b"a's own"), tag="1"
        )
        self.b = self.registry.add_index(
            "b", self.registry.add_image("b", "amd64", b"base", b"b's own"), tag="1"
        )
        self.other.add_index("a", self.other.add_image("a", "amd64", b"other"), tag="1")
        self.transport = CannedTransport(self.answer)
        self.root = os.path.abspath(self.mktemp())
        self.events: list[Event] = []

    def answer(self, request: Sent) -> Canned:
        """Answer as the registry of the requested host."""
        is_other = request.url.startswith("https://other.example/")
        return (self.other if is_other else self.registry)(request)

    def make_download(self, **selection: Any) -> Download:
        """Return a download."""
        retries: Retries = quick_retries(0)
        upstreams = Upstreams(self.transport, retries, {})
        network = Network(self.transport, upstreams, retries, retries._stop, 4)
        return Download(self.root, network, Selection(**selection), self.events.append)

    def download(self, *images: str, **selection: Any) -> Summary:
        """Download images."""
        references = [ImageReference.parse(image) for image in images]
        with TreeWriter(self.root, "a test") as tree:
            return self.make_download(**selection).run(references, tree)

    def plan(self, *images: str, free_space: int | None = None) -> Plan:
        """Plan without writing."""
        references = [ImageReference.parse(image) for image in images]
        return self.make_download().plan(references, free_space)

    def ended(self) -> dict[str, str]:
        """Return the reason of each image that ended; empty if it is complete."""
        return {e.image: e.reason for e in self.events if isinstance(e, ImageEnded)}

    def tags(self, name: str) -> list[str]:
        """Return the tags of a repository in the tree."""
        return RegistryTree(self.root).find_repository(None, name).list_tags()

    def blob_requests(self) -> list[str]:
        """Return the paths of the requests for blobs."""
        return [request.path for request in self.transport.sent if "/blobs/" in request.path]
