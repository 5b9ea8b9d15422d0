"""Tests for how a preflight asks for an image: as a node will."""

import os

from minreg.oci.names import Digest
from tests.preflight_support import PAUSE, CheckTestCase


class NamesTests(CheckTestCase):
    """Tests for image names in a tree without host names."""

    def test_registries(self) -> None:
        """The tree answers for every registry."""
        self.release.add(PAUSE)
        for registry in ("docker.io", "bootstrap-registry.airgap", "registry.example:5000"):
            self.assertEqual(self.problems(registry=registry), (), registry)

    def test_library(self) -> None:
        """``busybox`` is short for ``library/busybox`` of the Docker Hub, and only there."""
        self.release.add("library/busybox:1")
        for image in ("busybox:1", "bootstrap-registry.airgap/busybox:1"):
            self.assertEqual(self.problems(image), (), image)
        self.assertEqual(self.problems("quay.io/busybox:1"), ("there is no repository busybox",))

    def test_digest(self) -> None:
        """If a reference has a digest, the tag is ignored."""
        self.release.add(PAUSE)
        root = os.readlink(self.release.path("rancher/mirrored-pause/manifests/3.6"))
        self.assertEqual(self.problems(f"rancher/mirrored-pause@{root}"), ())
        self.assertEqual(self.problems(f"rancher/mirrored-pause:none@{root}"), ())
        absent = Digest.of(b"another")
        [problem] = self.problems(f"{PAUSE}@{absent}")
        self.assertIn(f"{absent} is not in repository", problem)


class HostsTests(CheckTestCase):
    """Tests for a tree that keeps the names of hosts."""

    below = "docker.io/"

    def test_registries(self) -> None:
        """What is kept for one registry is there for it and its alias, and for no other."""
        self.release.add(PAUSE)
        self.assertEqual(self.problems(), ())
        self.assertEqual(self.problems(registry="bootstrap-registry.airgap"), ())
        self.assertEqual(
            self.problems(f"quay.io/{PAUSE}"), ("there is no repository rancher/mirrored-pause",)
        )

    def test_system_default_registry(self) -> None:
        """A default registry that the tree does not answer for is a problem."""
        self.release.add(PAUSE)
        [problem] = self.problems(registry="registry.example")
        self.assertEqual(
            problem,
            "rancher/mirrored-pause is stored for docker.io, and not for registry.example, "
            "which nodes ask: serve with --registry-alias registry.example=docker.io",
        )
