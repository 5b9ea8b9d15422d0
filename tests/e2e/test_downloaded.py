"""A tree that was filled by ``minreg download`` is served to containerd and skopeo."""

import json
import os
import sys
import urllib.request

from tests.e2e.containerd import ALIAS
from tests.e2e.containerd2 import Containerd2
from tests.e2e.content import GREETING, SAMPLE, write_sample
from tests.e2e.programs import run
from tests.e2e.pulls import ContainerdTestCase
from tests.e2e.real_registry import start_registry

NAME = "rancher/mirrored-sample"


class DownloadedTests(ContainerdTestCase):
    """Tests for the whole way: a registry, a tree, a daemon, a client."""

    def setUp(self) -> None:
        """Push the sample, which runs, to a real registry, and download it from there."""
        super().setUp()
        sample = os.path.join(self.make_directory(), "sample")
        write_sample(sample)
        source = self.start_daemon(sample)
        upstream = start_registry(os.path.join(self.make_directory(), "upstream"))
        self.addCleanup(upstream.stop)
        run(
            *["skopeo", "copy", "--all", "--preserve-digests", "--insecure-policy"],
            *("--src-tls-verify=false", f"docker://{source.registry}/{SAMPLE}:1.0"),
            *("--dest-tls-verify=false", f"docker://{upstream.host}/{NAME}:1.0"),
        )
        image = f"{upstream.host}/{NAME}:1.0"
        run(sys.executable, "-m", "minreg", "download", "-s", "-d", self.root, image)
        self.upstream_digest = self.digest_at(upstream.host)
        self.serve(ALIAS)

    def digest_at(self, registry: str) -> str:
        """Ask a registry for the digest of the image's index."""
        request = urllib.request.Request(
            f"http://{registry}/v2/{NAME}/manifests/1.0",
            headers={"Accept": "application/vnd.oci.image.index.v1+json"},
            method="HEAD",
        )
        with urllib.request.urlopen(request) as response:  # noqa: S310 - its own address
            return str(response.headers["Docker-Content-Digest"])

    def test_containerd(self) -> None:
        """Containerd pulls the image by its tag and by the upstream's digest, and it runs."""
        self.assert_runs(f"{ALIAS}/{NAME}:1.0")
        self.assert_runs(f"{ALIAS}/{NAME}@{self.upstream_digest}")
        self.assertEqual(self.digest_at(self.daemon.registry), self.upstream_digest)

    def test_skopeo(self) -> None:
        """Skopeo sees the platform that was downloaded."""
        options = ["--tls-verify=false", "--override-os", "linux", "--override-arch", "amd64"]
        inspected = json.loads(
            run("skopeo", "inspect", *options, f"docker://{self.daemon.registry}/{NAME}:1.0")
        )
        self.assertEqual(inspected["Digest"], self.upstream_digest)
        self.assertEqual(inspected["RepoTags"], ["1.0"])


class Containerd2DownloadedTests(DownloadedTests):
    """Tests for the whole way with containerd 2."""

    def start_containerd(self, directory: str) -> Containerd2:
        """Start containerd 2."""
        self.containerd2 = Containerd2(directory)
        return self.containerd2

    def test_ctr(self) -> None:
        """``ctr`` pulls an image of which one platform was downloaded, and it runs."""
        name = f"{ALIAS}/{NAME}:1.0"
        self.containerd2.pull_with_ctr(name)
        self.assertEqual(self.containerd.run(name), GREETING)
