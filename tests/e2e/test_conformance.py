"""The conformance suite of the OCI distribution specification finds no failure."""

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from xml.etree import ElementTree as ET

from minreg.oci.names import OCI_MANIFEST
from tests.e2e.content import SAMPLE, write_sample
from tests.e2e.push_proxy import PushProxy
from tests.e2e.support import EndToEndTestCase
from tests.e2e.trees import read_tree
from tests.filled_tree import FilledTree

# A line of its report, such as "  Pass..........................:        882".
_COUNT = re.compile(r"^  (\w+)\.+: +(\d+)$", re.MULTILINE)


class ConformanceTests(EndToEndTestCase):
    """Tests with the suite in its newest version, of which no release exists."""

    def setUp(self) -> None:
        """Serve the sample, and find the suite."""
        self.need_programs("conformance")
        self.root = os.path.join(self.make_directory(), "registry")
        write_sample(self.root)
        self.daemon = self.start_daemon(self.root)

    def run_suite(self, registry: str, **settings: str) -> Mapping[str, int]:
        """Run the suite, and fail for each failure that it reports.

        Args:
            registry: The host and port of the registry.
            settings: Further settings of the suite, without their prefix ``OCI_``.

        Returns:
            The numbers of test cases by result, as the suite prints them: ``Pass``, ``Skip``.
        """
        results = self.make_directory()
        settings |= {"REGISTRY": registry, "TLS": "disabled", "RESULTS_DIR": results}
        environment = {f"OCI_{name}": value for name, value in settings.items()}
        # Its status is not 0 without a failure, too: without pushes, it crashes after the report.
        done = subprocess.run(
            ["conformance"],
            capture_output=True,
            check=False,
            encoding="utf-8",
            timeout=180,
            env={**os.environ, **environment},
        )
        counts = {name: int(number) for name, number in _COUNT.findall(done.stdout)}
        self.assertIn("Pass", counts, done.stderr)
        failed = _describe_failures(os.path.join(results, "junit.xml"))
        self.assertEqual((counts["FAIL"], counts["Error"]), (0, 0), failed or done.stdout)
        return counts

    def test_read_only(self) -> None:
        """Without pushes, all kinds of content of a tree are found, and nothing else."""
        add_images(self.root, count=40)
        image = read_tree(self.root, SAMPLE, "1.0")
        manifests = os.listdir(os.path.join(self.root, SAMPLE, "manifests"))
        counts = self.run_suite(
            self.daemon.registry,
            REPO1=SAMPLE,
            API_PUSH="false",
            API_TAGS_DELETE="false",
            API_MANIFESTS_DELETE="false",
            API_BLOBS_DELETE="false",
            RO_DATA_TAGS=_join(name for name in manifests if ":" not in name),
            RO_DATA_MANIFESTS=_join(name for name in manifests if ":" in name),
            RO_DATA_BLOBS=_join(os.listdir(os.path.join(self.root, "blobs"))),
            RO_DATA_REFERRERS=image.top,
        )
        self.assertGreater(counts["Pass"], 200)

    def assert_pushed(self, version: str, count: int) -> None:
        """Have the suite push its content into the tree, and read it."""
        proxy = PushProxy(self.daemon.port, self.root, "conformance/repo1", "conformance/repo2")
        self.addCleanup(proxy.stop)
        counts = self.run_suite(proxy.registry, VERSION=version)
        self.assertGreaterEqual(counts["Pass"], count)
        self.assertEqual(counts["Skip"], 0)

    def test_pushed(self) -> None:
        """What the suite pushes is served as version 1.1 of the specification says."""
        self.assert_pushed("1.1", 860)

    def test_pushed_next(self) -> None:
        """What the suite pushes is served as the next version of the specification says."""
        self.assert_pushed("dev", 986)


def add_images(root: str, count: int) -> None:
    """Add images with a tag each to the repository of the sample, and as many artifacts."""
    tree = FilledTree(root)
    subject = read_tree(root, SAMPLE, "1.0")
    descriptor = {
        "mediaType": subject.document(subject.top)["mediaType"],
        "digest": subject.top,
        "size": len(subject.manifests[subject.top]),
    }
    for number in range(count):
        layer = b"layer %d" % number
        image = tree.add_image(SAMPLE, "amd64", layer, tags=(f"image-{number}",))
        tree.add_index(SAMPLE, image, tag=f"index-{number}")
        artifact = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": f"application/vnd.example.{number % 2}",
            "config": tree.add_blob(SAMPLE, "application/vnd.oci.empty.v1+json", b"{}"),
            "layers": [tree.add_blob(SAMPLE, "text/plain", layer)],
            "subject": descriptor,
        }
        tree.add_document(SAMPLE, artifact)


def _join(names: Iterable[str]) -> str:
    return " ".join(sorted(names))


def _describe_failures(path: str) -> str:
    if not os.path.exists(path):
        return ""
    # The suite wrote it, for this test.
    cases = ET.parse(path).iter("testcase")  # noqa: S314
    return "\n".join(
        f"{case.get('name')}: {case.findtext('system-out', '')[-2000:]}"
        for case in cases
        if case.get("status") in {"failure", "error"}
    )
