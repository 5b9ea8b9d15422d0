"""Tests that pulls do not fail while the registry is restarted.

``MINREG_RESTARTS`` says how often, and ``MINREG_PULLERS`` how many pull at once.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from tests.e2e.containerd import ALIAS, Containerd
from tests.e2e.content import ARCHITECTURE, GREETING, SAMPLE, sample_image, write_sample
from tests.e2e.images import only_platform, with_layer
from tests.e2e.trees import FieldTree
from tests.e2e.units import UnitsTestCase

_RESTARTS = int(os.environ.get("MINREG_RESTARTS", "5"))
_PULLERS = int(os.environ.get("MINREG_PULLERS", "10"))
_LAYER = 1_000_000


class RestartTests(UnitsTestCase):
    """Tests for the service as hardened as it is installed, with containerd."""

    def setUp(self) -> None:
        """Boot, with a containerd that has the registry as a mirror."""
        super().setUp()
        self.need_programs("containerd", "ctr", "runc", "skopeo")
        self.systemd = self.boot()
        self.ask("/v2/")
        self.containerd = Containerd(self.make_directory())
        self.addCleanup(self.containerd.stop)
        self.containerd.wait_until_it_answers()
        self.containerd.use_mirror(ALIAS, self.registry)

    def test_pull(self) -> None:
        """An image that containerd pulls through the hardened service runs."""
        write_sample(self.root)
        self.containerd.pull(f"{ALIAS}/{SAMPLE}:1.0")
        self.assertEqual(self.containerd.run(f"{ALIAS}/{SAMPLE}:1.0"), GREETING)

    def test_restarts(self) -> None:
        """No pull fails while the service is restarted repeatedly."""
        image = only_platform(sample_image(), ARCHITECTURE)
        tree = FieldTree(self.root)
        for number in range(_PULLERS):
            tree.add(f"rancher/sample-{number}", "1.0", with_layer(image, os.urandom(_LAYER)))
        end = Event()
        with ThreadPoolExecutor(_PULLERS) as pullers:
            pulls = [pullers.submit(self.pull, n, end) for n in range(_PULLERS)]
            try:
                for _ in range(_RESTARTS):
                    time.sleep(0.5)
                    self.systemd.control("restart", "minreg.service")
            finally:
                end.set()
        counts = [pull.result() for pull in pulls]
        self.assertGreater(min(counts), 0)

    def pull(self, number: int, end: Event) -> int:
        """Pull an image and remove it repeatedly; return how often the pull succeeded."""
        name = f"{ALIAS}/rancher/sample-{number}:1.0"
        count = 0
        while not end.is_set():
            self.containerd.pull(name)
            self.containerd.remove(name)
            count += 1
        return count
