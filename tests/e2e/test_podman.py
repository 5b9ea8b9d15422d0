"""podman and buildah pull from the daemon."""

import json
import os

from tests.e2e.content import ARCHITECTURE, SAMPLE, write_sample
from tests.e2e.programs import run
from tests.e2e.support import EndToEndTestCase
from tests.e2e.trees import read_tree


class PodmanTests(EndToEndTestCase):
    """Tests for the two that share their storage's code."""

    def setUp(self) -> None:
        """Serve the sample tree."""
        self.need_to_mount()
        self.root = os.path.join(self.make_directory(), "registry")
        write_sample(self.root)
        registry = self.start_daemon(self.root).registry
        self.name = f"{registry}/{SAMPLE}:1.0"

    def storage(self, program: str) -> list[str]:
        """Begin a command line that leaves the machine's own images alone."""
        directory = self.make_directory()
        places = [f"--root={directory}/root", f"--runroot={directory}/run"]
        return [program, *places, "--storage-driver=vfs"]

    def test_podman(self) -> None:
        """Podman has the image's digest, platform and layers."""
        self.need_programs("podman")
        podman = self.storage("podman")
        run(*podman, "pull", "--tls-verify=false", "--quiet", self.name)
        (image,) = json.loads(run(*podman, "image", "inspect", self.name))
        expected = read_tree(self.root, SAMPLE, "1.0")
        digest = expected.child_for(ARCHITECTURE)
        config = expected.document(digest)["config"]["digest"]
        self.assertEqual(image["Architecture"], ARCHITECTURE)
        self.assertEqual(f"sha256:{image['Id']}", config)
        self.assertIn(digest, {name.partition("@")[2] for name in image["RepoDigests"]})

    def test_buildah(self) -> None:
        """Buildah has the image's config."""
        self.need_programs("buildah")
        buildah = self.storage("buildah")
        pulled = run(*buildah, "pull", "--tls-verify=false", "--quiet", self.name).strip()
        expected = read_tree(self.root, SAMPLE, "1.0")
        config = expected.document(expected.child_for(ARCHITECTURE))["config"]["digest"]
        self.assertEqual(f"sha256:{pulled}", config)
