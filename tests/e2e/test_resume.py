"""Tests that containerd resumes an interrupted download."""

import random

from tests.e2e.containerd import ALIAS
from tests.e2e.content import ARCHITECTURE, sample_image
from tests.e2e.images import only_platform, with_layer
from tests.e2e.proxy import CuttingProxy
from tests.e2e.pulls import ContainerdTestCase
from tests.e2e.trees import FieldTree

REPOSITORY = "rancher/mirrored-sample"
LARGE = random.Random(0).randbytes(8_000_000)  # noqa: S311 - any bytes do


class ResumeTests(ContainerdTestCase):
    """Tests for a layer of eight million bytes."""

    def test_cut_off(self) -> None:
        """Only the missing bytes are requested, and the image runs."""
        image = with_layer(only_platform(sample_image(), ARCHITECTURE), LARGE)
        FieldTree(self.root).add(REPOSITORY, "1.0", image)
        daemon = self.start_daemon(self.root)
        proxy = CuttingProxy(daemon.port, 3_000_000)
        self.addCleanup(proxy.stop)
        self.containerd.use_mirror(ALIAS, proxy.endpoint)
        self.assert_runs(f"{ALIAS}/{REPOSITORY}:1.0")
        daemon.stop()
        layer = image.document(image.top)["layers"][-1]
        events = [
            event for event in daemon.request_events() if event["path"].endswith(layer["digest"])
        ]
        self.assertEqual([event["status"] for event in events], [200, 206])
        # What a closed connection still had in its buffers is lost, so not exactly 3,000,000 less.
        self.assertLess(events[1]["bytes"], layer["size"])
