"""What the tests with containerd share: a pull, a run, and what the daemon was asked."""

import os

import attrs

from tests.e2e.containerd import Containerd
from tests.e2e.content import ARCHITECTURE, GREETING
from tests.e2e.daemon import LoggedRequest
from tests.e2e.images import Image, blobs_of
from tests.e2e.support import EndToEndTestCase


class ContainerdTestCase(EndToEndTestCase):
    """A test in which a containerd pulls through a mirror."""

    def setUp(self) -> None:
        """Start a containerd of our own."""
        self.need_to_mount()
        self.need_programs("runc", "skopeo")
        self.root = os.path.join(self.make_directory(), "registry")
        self.containerd = self.start_containerd(self.make_directory())
        self.addCleanup(self.containerd.stop)
        self.containerd.wait_until_it_answers()

    def start_containerd(self, directory: str) -> Containerd:
        """Start the containerd of this machine; subclasses start others."""
        self.need_programs("containerd", "ctr")
        return Containerd(directory)

    def serve(self, host: str) -> None:
        """Start the daemon, and have containerd take it for a mirror of ``host``."""
        self.daemon = self.start_daemon(self.root)
        self.containerd.use_mirror(host, self.daemon.registry)

    def assert_runs(self, name: str) -> None:
        """Pull an image, run a container out of it and read its line."""
        self.containerd.pull(name)
        self.assertEqual(self.containerd.run(name), GREETING)

    def assert_requests(self, path: str, reference: str, image: Image, host: str) -> None:
        """Check that one pull asked for each thing once, and for nothing else."""
        self.daemon.stop()
        requests = self.daemon.requests()
        manifests = [image.top]
        if image.children():
            manifests.append(image.child_for(ARCHITECTURE))
        first = [("HEAD", f"/v2/{path}/manifests/{reference}")]
        first += [("GET", f"/v2/{path}/manifests/{digest}") for digest in manifests]
        blobs = blobs_of(image.document(manifests[-1]))
        then = [("GET", f"/v2/{path}/blobs/{digest}") for digest in blobs]
        made = [LoggedRequest(method, url, host, 200) for method, url in first + sorted(then)]
        count = len(first)
        self.assertEqual([*requests[:count], *sorted(requests[count:], key=attrs.astuple)], made)
