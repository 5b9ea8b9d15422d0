"""A download is killed again and again, and the tree is good each time.

``MINREG_KILLS`` says how often; a few times if it is not set.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.tree.reader import TreeReader
from minreg.fill.verify import Verification
from tests.e2e.real_registry import Layout, start_registry

_KILLS = int(os.environ.get("MINREG_KILLS", "5"))
_LAYER = 4_000_000


class KillTests(SynchronousTestCase):
    """Tests for ``minreg download``, as a process that does not end by itself."""

    def setUp(self) -> None:
        """Start a registry with four images that share a layer."""
        self.directory = os.path.abspath(self.mktemp())
        registry = start_registry(os.path.join(self.directory, "upstream"))
        self.addCleanup(registry.stop)
        base = os.urandom(_LAYER)
        for number in range(4):
            layout = Layout(os.path.join(self.directory, str(number)))
            layers = [base, *(os.urandom(_LAYER) for _ in range(3))]
            layout.write_index([layout.write_image("amd64", layers)])
            registry.push(layout.directory, f"a/b{number}:1")
        self.root = os.path.join(self.directory, "registry")
        self.command = [
            sys.executable,
            "-m",
            "minreg",
            "download",
            "-s",
            "-d",
            self.root,
            "--json",
        ]
        self.command += [f"{registry.host}/a/b{number}:1" for number in range(4)]

    def check_tags(self) -> int:
        """Make sure that each tag of the tree is complete, and count them."""
        if not os.path.isdir(self.root):
            return 0
        report = Verification(self.root).run(lambda _: None)
        self.assertEqual([str(finding.image) for finding in report.broken], [])
        return len(report.findings)

    def finish(self) -> None:
        """Let a run finish, and make sure that it fetched only what was missing."""
        held = self.measure_blobs()
        done = subprocess.run(self.command, check=True, capture_output=True, text=True)
        summary = json.loads(done.stdout.splitlines()[-1])
        came = self.measure_blobs() - held
        self.assertEqual(summary["fetched_bytes"] + summary["resumed_bytes"], came)
        self.assertEqual(self.check_tags(), 4)
        shutil.rmtree(self.root)

    def measure_blobs(self) -> int:
        """Tell how many bytes all blobs have."""
        os.makedirs(self.root, exist_ok=True)
        return sum(TreeReader(self.root).list_blobs("blobs").values())

    def test_kills(self) -> None:
        """Wherever a run is killed, every tag is complete, and the next run goes on."""
        chance = random.Random(17)  # noqa: S311 - moments, not secrets
        started = time.monotonic()
        subprocess.run(self.command, check=True, capture_output=True)
        whole = time.monotonic() - started
        self.finish()
        for number in range(_KILLS):
            process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
            time.sleep(chance.uniform(0.2, 1.1) * whole)
            process.kill()
            process.wait()
            self.check_tags()
            if number % 3 == 2:
                self.finish()

    def test_interrupted(self) -> None:
        """Ctrl-C ends a run at once, with status 1 and how to go on."""
        process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        while "blob_advanced" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 1)
        self.assertIn("run the same command again to resume", said)
        self.assertNotIn("Traceback", said)
        self.check_tags()
        self.finish()
