"""``minreg import``, killed at any moment: the tree is good, and the next run finishes."""

import os
import subprocess
import sys
import time

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.verify import Verification
from minreg.oci.names import OCI_INDEX
from minreg.oci.platforms import Platform
from tests.image_archives import (
    CONTAINERD_NAME,
    Image,
    describe,
    make_index,
    make_layout,
    make_tar,
)

KILLS = int(os.environ.get("MINREG_KILLS", "5"))
"""How many processes to kill, at moments that are spread over a whole run."""

IMAGES = 30


class KilledTests(SynchronousTestCase):
    """Tests for an import that ends with SIGKILL."""

    def setUp(self) -> None:
        """Pack images that share a layer, each an index of one platform out of two."""
        self.archive = self.mktemp()
        shared = make_tar([("base", os.urandom(500_000))])
        contents: list[bytes] = []
        descriptors = []
        for number in range(IMAGES):
            own = make_tar([(f"{number}", os.urandom(10_000))])
            image, absent = Image("amd64", (shared, own)), Image("arm64", (own,))
            index = make_index([image.descriptor, absent.descriptor])
            contents += [*image.blobs, image.manifest, index]
            name = {CONTAINERD_NAME: f"docker.io/rancher/image-{number}:1"}
            descriptors.append(describe(OCI_INDEX, index, annotations=name))
        with open(self.archive, "wb") as file:
            file.write(make_tar(make_layout(list(dict.fromkeys(contents)), descriptors)))

    def test_killed(self) -> None:
        """After each kill all tags are complete, and the next run sets the rest of them."""
        began = time.monotonic()
        self.assertEqual(self.start(self.mktemp()).wait(), 0)
        whole_run = time.monotonic() - began
        counts = []
        for number in range(KILLS):
            root = self.mktemp()
            process = self.start(root)
            time.sleep(whole_run * number / KILLS)
            process.kill()
            process.wait()
            counts.append(self.count_complete_tags(root))
            self.assertEqual(self.start(root).wait(), 0)
            self.assertEqual(self.count_complete_tags(root), IMAGES)
            self.assertEqual(os.listdir(os.path.join(root, ".minreg", "new")), [])
        self.assertEqual(counts[0], 0)

    def start(self, root: str) -> "subprocess.Popen[bytes]":
        """Start an import of the archive."""
        command = [sys.executable, "-m", "minreg", "import", "-d", root, self.archive]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def count_complete_tags(self, root: str) -> int:
        """Count the tags of a tree, and verify that all that they lead to is there."""
        if not os.path.isdir(root):
            return 0
        report = Verification(root, [Platform("linux", "amd64")]).run(lambda _: None)
        self.assertEqual(report.broken, [])
        return len(report.findings)
