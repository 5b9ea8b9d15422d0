"""Tests for what the doctor says of images that are there, and asked for under other names."""

from minreg.defaults import DEFAULT_ROOT
from tests.doctor_support import MIRRORS, RulesTestCase
from tests.nodes import CONFIG, PAUSE, REGISTRIES
from tests.test_doctor_mirrors import rewrite


class DetoursTests(RulesTestCase):
    """Tests for ``find_name_mismatch`` and ``find_upstream``."""

    def fix(self) -> tuple[str, str]:
        """Ask what is to be done, and where, about the only thing that is wrong."""
        self.node.restart_k3s()
        (found,) = self.node.diagnose()
        self.assertEqual(found.rule.id, "pause-image")
        is_there = f", but is in the tree as {PAUSE}; " in found.problem
        self.assertEqual(is_there, found.path != DEFAULT_ROOT)
        return f"{found.path}:{found.line}", found.fix

    def assert_download(self) -> None:
        """Check that the fix for a missing image is to download it by its upstream name."""
        self.node.remove(f"{DEFAULT_ROOT}/{PAUSE}/manifests/3.6")
        where, fix = self.fix()
        self.assertEqual(where, f"{DEFAULT_ROOT}:0")
        self.assertTrue(fix.startswith(f"minreg download docker.io/{PAUSE}:3.6, "), fix)

    def test_path(self) -> None:
        """The registry has no path before its own."""
        self.set_registries(MIRRORS.replace("9080", "9080/v2/docker"))
        fix = "write http://127.0.0.1:9080 for this endpoint, without a path"
        self.assertEqual(self.fix(), (f"{REGISTRIES}:0", fix))
        self.assert_download()

    def test_rewrite(self) -> None:
        """Images have their own names."""
        self.set_registries(MIRRORS + rewrite("^rancher/(.*)", "mirror/rancher/$1"))
        fix = "remove the rewrite: the tree has images under their original names"
        self.assertEqual(self.fix(), (f"{REGISTRIES}:0", fix))
        self.assert_download()

    def test_default_registry(self) -> None:
        """A path in system-default-registry changes the names of images."""
        self.node.replace(CONFIG, ".airgap", ".airgap/proj")
        fix = "write bootstrap-registry.airgap for system-default-registry, without a path"
        self.assertEqual(self.fix(), (f"{CONFIG}:1", fix))
        self.assert_download()

    def test_pause_image(self) -> None:
        """K3s puts that registry before one that the pause image names."""
        self.node.write(CONFIG, f"{self.node.read(CONFIG)}pause-image: docker.io/{PAUSE}:3.6\n")
        fix = f"write {PAUSE}:3.6 for pause-image"
        self.assertEqual(self.fix(), (f"{CONFIG}:3", fix))
        self.assert_download()
