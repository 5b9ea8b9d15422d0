"""Health, metrics and the not-found log, requested with the tools of operators."""

import json
import os
import subprocess

from tests.e2e.containerd import Containerd
from tests.e2e.content import SAMPLE, write_sample
from tests.e2e.programs import ProgramFailed, free_port, installed, run
from tests.e2e.support import EndToEndTestCase


def fetch(url: str, *options: str) -> str:
    """Return a response, requested with curl."""
    return run("curl", "--silent", "--show-error", "--noproxy", "*", *options, url)


class StatusTests(EndToEndTestCase):
    """Tests for a daemon with its status on the registry's port."""

    def setUp(self) -> None:
        """Serve the sample."""
        self.need_programs("curl")
        self.root = self.make_directory()
        write_sample(self.root)
        self.daemon = self.start_daemon(self.root)
        self.url = f"http://{self.daemon.registry}"

    def test_metrics(self) -> None:
        """The metrics pass the checks of promtool."""
        self.need_programs("promtool")
        for path in ("/v2/", f"/v2/{SAMPLE}/manifests/1.0", "/v2/x/manifests/{x}", '/"\\{}'):
            fetch(f"{self.url}{path}", "--globoff", "--user-agent", '{"x": "\\n"}')
        metrics = fetch(f"{self.url}/metrics")
        checked = subprocess.run(
            ["promtool", "check", "metrics"],
            input=metrics,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        self.assertEqual((checked.returncode, checked.stdout, checked.stderr), (0, "", ""))
        self.assertIn(
            'minreg_requests_total{endpoint="manifests",method="GET",status="200"} 1.0', metrics
        )

    def test_health(self) -> None:
        """The daemon is live and ready; without its root, it is not ready."""
        self.assertEqual(fetch(f"{self.url}/livez", "--fail"), "ok\n")
        self.assertEqual(fetch(f"{self.url}/readyz", "--fail"), "ok\n")
        os.rename(self.root, f"{self.root}.gone")
        self.addCleanup(os.rename, f"{self.root}.gone", self.root)
        self.assertRaises(ProgramFailed, fetch, f"{self.url}/readyz", "--fail")
        document = json.loads(fetch(f"{self.url}/readyz?verbose"))
        self.assertIn("No such file or directory", document["checks"]["root"])
        self.assertEqual(document["checks"]["listener"], "ok")

    def test_missing(self) -> None:
        """``minreg download`` can read the list of what containerd did not find."""
        self.need_programs("containerd", "ctr")
        self.need_root("containerd gives its sockets to root")
        directory = self.make_directory()
        containerd = Containerd(directory)
        self.addCleanup(containerd.stop)
        containerd.wait_until_it_answers()
        containerd.use_mirror("registry.invalid", self.daemon.registry)
        self.assertRaises(ProgramFailed, containerd.pull, "registry.invalid/team/app:1.0")
        listed = run(installed("minreg"), "missing", "--url", self.url)
        image = r"^registry\.invalid/team/app:1\.0  # \d+ times?, last \S+, by containerd/"
        self.assertRegex(listed, image)
        path = os.path.join(directory, "missing.txt")
        with open(path, "w", encoding="utf-8") as file:
            file.write(listed)
        tree = os.path.join(directory, "tree")
        options = ("--skip-k3s", "--retries", "0", "--directory", tree, "--file", path)
        error = self.assertRaises(
            ProgramFailed, run, installed("minreg"), "download", "--dry-run", *options
        )
        self.assertNotIn("is not an image name", str(error))


class ApartTests(EndToEndTestCase):
    """Tests for a daemon with its status on another port."""

    def test_apart(self) -> None:
        """The registry's port does not serve the status."""
        self.need_programs("curl")
        root = self.make_directory()
        write_sample(root)
        port = free_port()
        status = f"http://127.0.0.1:{port}"
        daemon = self.start_daemon(
            root, "--status-listen", f"tcp:{port}:interface=127.0.0.1", "--no-page"
        )
        self.assertEqual(fetch(f"{status}/readyz", "--fail"), "ok\n")
        self.assertIn("minreg_build_info", fetch(f"{status}/metrics", "--fail"))
        self.assertIn("k3s is missing", fetch(f"{status}/minreg/preflight"))
        for path in ("metrics", "livez", "readyz", "minreg/missing", "minreg/preflight"):
            self.assertRaises(ProgramFailed, fetch, f"http://{daemon.registry}/{path}", "--fail")
        self.assertRaises(ProgramFailed, fetch, f"{status}/v2/", "--fail")
        self.assertRaises(ProgramFailed, fetch, f"{status}/", "--fail", "-H", "Accept: text/html")
