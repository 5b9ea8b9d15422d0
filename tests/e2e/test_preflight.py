"""``minreg preflight``, and the fix of its findings: a download from a real registry."""

import json
import os
import subprocess
import sys
from typing import Any
from urllib.parse import quote

from tests.e2e.real_registry import Layout, start_registry
from tests.e2e.support import EndToEndTestCase
from tests.e2e.test_status import fetch

VERSION = "v1.33.4+k3s1"
NAMES = ("klipper-lb", "local-path-provisioner", "mirrored-library-busybox", "mirrored-pause")
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
      - name: web
        image: %s
"""


class PreflightTests(EndToEndTestCase):
    """Tests for the way from a finding to a tree that is complete."""

    def setUp(self) -> None:
        """Download a small release from a registry."""
        self.directory = self.make_directory()
        self.registry = start_registry(os.path.join(self.directory, "upstream"))
        self.addCleanup(self.registry.stop)
        self.layers = {name: os.urandom(1000) for name in (*NAMES, "app")}
        for name, layer in self.layers.items():
            layout = Layout(os.path.join(self.directory, name))
            images = [layout.write_image(kind, [layer]) for kind in ("amd64", "arm64")]
            layout.write_index(images)
            self.registry.push(layout.directory, f"rancher/{name}:v1")
        self.root = os.path.join(self.directory, "registry")
        lines = "".join(f"{self.image(name)}\n" for name in NAMES)
        self.minreg("download", "-s", "-f", "-", given=lines)
        os.makedirs(self.path("k3s"))
        with open(self.path("k3s", f"{VERSION}.txt"), "w", encoding="ascii") as file:
            file.write(lines)

    def image(self, name: str) -> str:
        """Name an image as the release's list does."""
        return f"{self.registry.host}/rancher/{name}:v1"

    def path(self, *names: str) -> str:
        """Name a place in the tree."""
        return os.path.join(self.root, *names)

    def minreg(
        self, command: str, *arguments: str, given: str = "", status: int = 0
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command on the tree, for amd64."""
        options = ["-d", self.root, "-p", "linux/amd64"]
        done = subprocess.run(
            [sys.executable, "-m", "minreg", command, *options, *arguments],
            check=False,
            input=given,
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, status, done.stderr)
        return done

    def damage(self) -> None:
        """Do to each image what happens to images."""
        children = {name: self.children(name) for name in NAMES}
        cut, lost, untagged, wrong = NAMES
        manifest = self.read("rancher", cut, "manifests", children[cut]["amd64"])
        os.truncate(self.path("blobs", manifest["layers"][0]["digest"]), 10)
        os.unlink(self.path("rancher", lost, "manifests", children[lost]["amd64"]))
        os.unlink(self.path("rancher", untagged, "manifests", "v1"))
        self.minreg("download", "-s", "-p", "linux/arm64", self.image(wrong))
        os.unlink(self.path("rancher", wrong, "manifests", "v1"))
        os.symlink(children[wrong]["arm64"], self.path("rancher", wrong, "manifests", "v1"))

    def children(self, name: str) -> dict[str, str]:
        """Name the manifests of an image by their architectures."""
        index = self.read("rancher", name, "manifests", "v1")
        return {child["platform"]["architecture"]: child["digest"] for child in index["manifests"]}

    def read(self, *names: str) -> Any:
        """Read a document of the tree."""
        with open(self.path(*names), "rb") as file:
            return json.load(file)

    def test_fixed(self) -> None:
        """Four faults are four findings, whose list brings what is missing; then there is none."""
        self.minreg("preflight", "--k3s", VERSION, "--deep")
        self.damage()
        found = self.minreg("preflight", "--k3s", VERSION, status=1)
        lines = found.stdout.splitlines()
        self.assertEqual([line.split()[0] for line in lines], list(map(self.image, NAMES)))
        for line, problem in zip(
            lines,
            (
                "has 10 bytes, and should have ",
                "its manifest for linux/amd64 is not here",
                "tag v1 is not in repository",
                "is for linux/arm64, not for linux/amd64",
            ),
            strict=True,
        ):
            self.assertIn(problem, line)
        self.assertIn("4 of 4 images not ready for linux/amd64", found.stderr)
        self.minreg("download", "-s", "-f", "-", given=found.stdout)
        self.minreg("preflight", "--k3s", VERSION, "--deep")
        self.minreg("verify")

    def test_manifests(self) -> None:
        """What a cluster's manifests name, and the tree lacks, is fetched the same way."""
        manifests = os.path.join(self.directory, "manifests")
        os.mkdir(manifests)
        with open(os.path.join(manifests, "web.yaml"), "w", encoding="ascii") as file:
            file.write(DEPLOYMENT % self.image("app"))
        arguments = ("--k3s", VERSION, "--manifests", manifests)
        found = self.minreg("preflight", *arguments, status=1)
        self.assertIn(
            f"(in {manifests}/web.yaml:9, Deployment web)".replace("in ", ""), found.stdout
        )
        self.minreg("download", "-s", "-f", "-", given=found.stdout)
        self.minreg("preflight", *arguments)

    def test_while_serving(self) -> None:
        """The daemon says the same, and knows at once when all has come."""
        self.need_programs("curl")
        daemon = self.start_daemon(self.root)
        url = (
            f"http://{daemon.registry}/minreg/preflight?platform=linux/amd64&k3s={quote(VERSION)}"
        )
        self.assertIn('"ready": true', fetch(url, "--fail"))
        self.damage()
        status = ("--output", "/dev/null", "--write-out", "%{http_code}")
        self.assertEqual(fetch(url, *status), "409")
        listed = fetch(url, "--header", "Accept: text/plain")
        self.assertEqual(listed.count("\n"), 5)
        self.minreg("download", "-s", "-f", "-", given=listed)
        self.assertEqual(fetch(url, *status), "200")
