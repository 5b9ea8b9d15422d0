"""Tests with podman and buildah."""

import json
import os

from tests.e2e.content import ARCHITECTURE, SAMPLE, write_sample
from tests.e2e.programs import run
from tests.e2e.support import EndToEndTestCase
from tests.e2e.trees import read_tree


class PodmanTests(EndToEndTestCase):
    """Tests for podman and buildah, which share their code for storage."""

    def setUp(self) -> None:
        """Serve the sample tree."""
        self.need_to_mount()
        self.root = os.path.join(self.make_directory(), "registry")
        write_sample(self.root)
        registry = self.start_daemon(self.root).registry
        self.name = f"{registry}/{SAMPLE}:1.0"

    def storage(self, program: str) -> list[str]:
        """Return the beginning of a command line with separate storage."""
        directory = self.make_directory()
        places = [f"--root={directory}/root", f"--runroot={directory}/run"]
        return [program, *places, "--storage-driver=vfs"]

    def test_podman(self) -> None:
        """Podman gets the image's digest, platform and layers."""
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
        """Buildah gets the image's config."""
        self.need_programs("buildah")
        buildah = self.storage("buildah")
        pulled = run(*buildah, "pull", "--tls-verify=false", "--quiet", self.name).strip()
        expected = read_tree(self.root, SAMPLE, "1.0")
        config = expected.document(expected.child_for(ARCHITECTURE))["config"]["digest"]
        self.assertEqual(f"sha256:{pulled}", config)
