"""Tests for ``minreg preflight``."""

import json
import os

from click.testing import CliRunner

from minreg.cli import cli
from minreg.preflight import tree_check
from tests.preflight_command import PreflightCommandTestCase
from tests.preflight_support import IMAGES, PAUSE, VERSION


class ReleaseTests(PreflightCommandTestCase):
    """Tests with ``--k3s``."""

    def test_ready(self) -> None:
        """A complete release is status 0 and no line of a list."""
        result = self.run_command("--k3s", VERSION)
        self.assertEqual((result.exit_code, result.stdout), (0, ""))
        self.assertEqual(result.stderr, "8 images checked for linux/amd64: all is here\n")

    def test_four_faults(self) -> None:
        """A truncated layer, a missing manifest or tag and a wrong config are reported by name."""
        bad = [f"rancher/{image}" for image in (IMAGES[1], IMAGES[2], IMAGES[4], IMAGES[7])]
        short = self.children[IMAGES[1]].layer
        self.release.truncate(short)
        self.release.remove_manifest(bad[1], self.children[IMAGES[2]].manifest)
        self.release.remove_tag(bad[2])
        self.release.remove_tag(bad[3])
        wrong = self.release.add(bad[3], of="arm64")
        result = self.run_command("--k3s", VERSION)
        self.assertEqual(result.exit_code, 1)
        reasons = (
            f"layer {short} has 3 bytes, and should have 45",
            "its manifest for linux/amd64 is not here",
            "tag 1.36.1 is not in repository rancher/mirrored-library-busybox",
            f"config {wrong.config} is for linux/arm64, not for linux/amd64",
        )
        self.assertEqual(
            result.stdout.splitlines(),
            [
                f"docker.io/{image}  # linux/amd64: {reason} (K3s {VERSION})"
                for image, reason in zip(bad, reasons, strict=True)
            ],
        )
        summary, advice = result.stderr.splitlines()
        self.assertEqual(summary, "4 of 8 images not ready for linux/amd64")
        self.assertEqual(
            advice,
            "to download these, pipe the list on a machine with a network into: minreg download "
            f"--skip-k3s --platform linux/amd64 --directory {self.root} --file -",
        )

    def test_json(self) -> None:
        """The same for programs."""
        self.release.remove_tag(PAUSE)
        result = self.run_command("--k3s", VERSION, "--json")
        self.assertEqual((result.exit_code, result.stderr), (1, ""))
        document = json.loads(result.stdout)
        self.assertEqual([one["image"] for one in document["findings"]], [f"docker.io/{PAUSE}"])
        self.assertEqual(
            (document["ready"], document["images"], document["notes"]), (False, 8, [])
        )

    def test_deep(self) -> None:
        """What has the right size and the wrong bytes is found by hashing, and only so."""
        child = self.children[IMAGES[0]]
        with open(self.release.blob(child.layer), "r+b") as file:
            file.write(b"\0")
        self.assertEqual(self.run_command("--k3s", VERSION).exit_code, 0)
        result = self.run_command("--k3s", VERSION, "--deep")
        self.assertEqual(result.exit_code, 1)
        [line] = result.stdout.splitlines()
        self.assertIn(f"docker.io/rancher/{IMAGES[0]}  # linux/amd64: {self.root}", line)
        self.assertIn("does not hold what its name says: remove it and download again", line)
        os.unlink(self.release.blob(child.layer))
        self.assertIn("is missing", self.run_command("--k3s", VERSION, "--deep").stdout)
        os.rename(self.release.path("rancher"), self.release.path("gone"))
        self.assertEqual(len(self.lacking("--k3s", VERSION, "--deep")), len(IMAGES))

    def test_deep_complete(self) -> None:
        """Hashing finds nothing where nothing is wrong."""
        self.assertEqual(self.run_command("--k3s", VERSION, "--deep").exit_code, 0)

    def test_platforms(self) -> None:
        """Each platform that is named must be there."""
        self.assertEqual(len(self.lacking("--k3s", VERSION, "-p", "linux/arm64")), len(IMAGES))
        self.assertEqual(len(self.lacking("--k3s", VERSION, "-p", "all")), len(IMAGES))
        self.assertIn("'x' is not a platform", self.refusal("--k3s", VERSION, "-p", "x"))

    def test_default_platform(self) -> None:
        """Without one, it is this machine's."""
        result = CliRunner().invoke(cli, ["preflight", "-d", self.root, "--k3s", VERSION])
        self.assertIn(result.exit_code, (0, 1))
        self.assertRegex(result.stderr, r" for linux/\w+")

    def test_disable(self) -> None:
        """What K3s leaves out need not be there."""
        for image in ("mirrored-library-traefik:3.3.6", "klipper-lb:v0.4.13"):
            self.release.remove_tag(f"rancher/{image}")
        self.assertEqual(len(self.lacking("--k3s", VERSION, "--disable", "traefik")), 1)
        both = ("--disable", "traefik,servicelb")
        self.assertEqual(self.run_command("--k3s", VERSION, *both).exit_code, 0)
        refusal = self.refusal("--k3s", VERSION, "--disable", "treafik")
        self.assertIn("use coredns, helm-controller, local-storage,", refusal)

    def test_upgrade(self) -> None:
        """An upgrade needs three more, whose versions can be named."""
        self.assertEqual(
            self.lacking("--k3s", "v1.33.4-k3s1", "--upgrade", "--upgrade-kubectl", "x/kubectl:2"),
            [
                "docker.io/rancher/k3s-upgrade:v1.33.4-k3s1",
                "docker.io/rancher/system-upgrade-controller:v0.20.1",
                "docker.io/x/kubectl:2",
            ],
        )

    def test_unknown(self) -> None:
        """A release without an image list cannot be checked; the releases with one are named."""
        refusal = self.refusal("--k3s", "stable")
        self.assertEqual(
            refusal,
            f"Error: the tree has no image list of K3s 'stable': it has those of {VERSION};"
            " run minreg download --version, or copy the release's k3s-images.txt into "
            "the tree as k3s/VERSION.txt\n",
        )

    def test_control_characters(self) -> None:
        """What a file or a link is called does nothing to a terminal."""
        path = self.release.path("k3s", f"{VERSION}.txt")
        os.unlink(path)
        with open(f"{self.root}.\x1b]0;x\x07", "wb"):
            pass
        os.symlink(f"{self.root}.\x1b]0;x\x07", path)
        for arguments in (
            ("--k3s", VERSION),
            ("-m", "\x1b[2J"),
            ("--k3s", VERSION, "--allow-links-to", "/\x1b[2J"),
        ):
            refusal = self.refusal(*arguments)
            self.assertIn(r"\x1b", refusal)
            self.assertTrue(refusal.rstrip("\n").isprintable())

    def test_together(self) -> None:
        """Options that make no sense together, or alone, are refused."""
        for arguments, reason in (
            ((), "nothing to check: use --k3s, --file or --manifests"),
            (("-f", "-", "--upgrade"), "name it with --k3s"),
            (("-f", "-", "--disable", "traefik"), "name it with --k3s"),
            (("--k3s", VERSION, "--upgrade-kubectl", "a:1"), "need --upgrade"),
            (("-f", "-", "-m", "-"), "can be used only once"),
            (("--k3s", VERSION, "--registry-alias", "x"), "is not NAME=HOST"),
            (("--k3s", VERSION, "--system-default-registry", "a b"), "is not a registry host"),
            (("--k3s", VERSION, "--allow-links-to", "/none"), "is not a directory"),
        ):
            self.assertIn(reason, self.refusal(*arguments), arguments)

    def test_no_tree(self) -> None:
        """A tree that does not exist is wrong usage."""
        os.rename(self.root, f"{self.root}.gone")
        self.assertIn("does not exist", self.refusal("--k3s", VERSION))

    def test_interrupted(self) -> None:
        """If it is interrupted, it has no result."""

        def stop(*_arguments: object) -> None:
            raise KeyboardInterrupt

        self.patch(tree_check, "find_corrupt_files", stop)
        refusal = self.refusal("--k3s", VERSION, "--deep")
        self.assertEqual(refusal, "Error: stopped before the check was complete\n")


class HostsTests(PreflightCommandTestCase):
    """Tests with a tree that keeps the names of hosts."""

    below = "docker.io/"

    def test_registries(self) -> None:
        """The tree must have the images under K3s' default registry."""
        option = "--system-default-registry"
        asked = ("--k3s", VERSION, option, "registry.example")
        for arguments in (
            ("--k3s", VERSION),
            ("--k3s", VERSION, option, "bootstrap-registry.airgap"),
            (*asked, "--registry-alias", "registry.example=docker.io"),
            ("--k3s", VERSION, option, "bootstrap-registry.airgap", "--registry-alias", "x.y=a.b"),
        ):
            self.assertEqual(self.run_command(*arguments).exit_code, 0, arguments)
        self.assertEqual(len(self.lacking(*asked)), len(IMAGES))
        self.assertIn("serve with --registry-alias", self.run_command(*asked).stdout)

    def test_advice(self) -> None:
        """What is fetched must keep its host, too."""
        self.release.remove_tag(PAUSE)
        self.assertIn(" --no-trim ", self.run_command("--k3s", VERSION).stderr)
