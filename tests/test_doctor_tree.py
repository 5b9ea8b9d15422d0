"""Tests for the doctor's rules about the tree, and about what the node will ask for."""

import os

from minreg.node.units import DEFAULT_ROOT
from tests.doctor_support import RulesTestCase
from tests.nodes import CONFIG, CONTAINERD, PAUSE, REGISTRIES, elf

_MANIFESTS = f"{DEFAULT_ROOT}/{PAUSE}/manifests"
_LIST = f"{DEFAULT_ROOT}/k3s/v1.33.4+k3s1.txt"


class TreeRulesTests(RulesTestCase):
    """Tests for the rules about trees, a golden one for each."""

    def test_rule_root_missing(self) -> None:
        """Without a tree there is nothing to serve."""
        self.node.remove(DEFAULT_ROOT)
        self.assert_found(
            (
                "root-missing",
                DEFAULT_ROOT,
                "there is no such directory: minreg answers 503 until there is",
                "unpack the tree there",
            )
        )

    def test_one_level_below(self) -> None:
        """Nor with one that lies elsewhere."""
        self.node.remove(DEFAULT_ROOT)
        os.makedirs(self.node.place(f"{DEFAULT_ROOT}/content"))
        self.assert_found(
            (
                "root-missing",
                DEFAULT_ROOT,
                "there is no repository in it: minreg has no image to serve",
                "unpack the tree there, not one level below",
            )
        )

    def test_rule_root_unreadable(self) -> None:
        """The service has a user of its own, who owns nothing."""
        os.chmod(self.node.place(_MANIFESTS), 0o750)
        self.assert_found(
            (
                "root-unreadable",
                DEFAULT_ROOT,
                f"the service's user may not read {_MANIFESTS}: what lies there is not served",
                f"chmod -R a+rX {DEFAULT_ROOT}",
            )
        )

    def test_other_user(self) -> None:
        """Whoever gave the service another user knows what that may read."""
        os.chmod(self.node.place(_MANIFESTS), 0o750)
        self.node.write(
            "/etc/systemd/system/minreg.service.d/user.conf",
            "[Service]\nDynamicUser=no\nUser=root\n",
        )
        self.assert_nothing_found()

    def test_rule_pause_image(self) -> None:
        """k3s-io/k3s#7102: without the pause image no pod starts."""
        self.node.remove(f"{_MANIFESTS}/3.6")
        self.assert_found(
            (
                "pause-image",
                DEFAULT_ROOT,
                (
                    "bootstrap-registry.airgap/rancher/mirrored-pause:3.6 is asked for as "
                    "http://127.0.0.1:9080/v2/rancher/mirrored-pause/manifests/3.6"
                    "?ns=bootstrap-registry.airgap, and is not in the tree; without it no pod "
                    "starts"
                ),
                (
                    "minreg download docker.io/rancher/mirrored-pause:3.6 where there is a "
                    f"network, and carry it to {DEFAULT_ROOT}"
                ),
            )
        )

    def test_pause_image_of_others(self) -> None:
        """What is asked for elsewhere only is not asked for here."""
        self.node.write(CONFIG, "disable-default-registry-endpoint: true\n")
        self.node.restart_k3s()
        self.assert_found(
            (
                "pause-image",
                REGISTRIES,
                (
                    "docker.io/rancher/mirrored-pause:3.6 is asked for at "
                    "https://registry-1.docker.io only, not at this node's registry; without it "
                    "no pod starts"
                ),
                'add a mirror docker.io, or "*", with this node\'s registry as its endpoint',
            )
        )

    def test_other_registries(self) -> None:
        """What another registry may have is not said to be missing."""
        self.node.remove(f"{_MANIFESTS}/3.6")
        self.node.replace(
            REGISTRIES,
            '      - "http://127.0.0.1:9080"\n',
            '      - "http://127.0.0.1:9080"\n      - "https://registry.example"\n',
        )
        self.node.restart_k3s()
        self.assert_nothing_found()

    def test_rule_images_missing(self) -> None:
        """k3s-io/k3s#11416: what a release needs and the tree lacks is named."""
        images = [f"docker.io/rancher/{name}" for name in ("a:1", "mirrored-pause:3.6", "b:2")]
        self.node.write(_LIST, "\n".join(images))
        self.assert_found(
            (
                "images-missing",
                DEFAULT_ROOT,
                (
                    "bootstrap-registry.airgap/rancher/a:1 is asked for as "
                    "http://127.0.0.1:9080/v2/rancher/a/manifests/1?ns=bootstrap-registry.airgap, "
                    "and is not in the tree (it belongs to K3s v1.33.4+k3s1), and likewise "
                    "bootstrap-registry.airgap/rancher/b:2"
                ),
                (
                    "minreg download docker.io/rancher/a:1 where there is a network, and carry "
                    f"it to {DEFAULT_ROOT}"
                ),
            )
        )

    def test_newest_release(self) -> None:
        """Of several releases the newest counts."""
        self.node.write(_LIST, "docker.io/rancher/mirrored-pause:3.6\n")
        self.node.write(_LIST.replace("v1.33.4", "v1.9.9"), "docker.io/rancher/gone:1\n")
        self.assert_nothing_found()

    def test_rule_platform(self) -> None:
        """k3s-io/k3s#1285: images for other processors do not run here."""
        self.node.write("/usr/bin/env", elf(183))
        self.assert_found(
            (
                "platform",
                DEFAULT_ROOT,
                (
                    "1 image of the tree cannot run on this node, which is linux/arm64: "
                    "rancher/mirrored-pause:3.6 (linux/amd64)"
                ),
                "minreg download --platform linux/arm64 them, and carry them here",
            )
        )

    def test_pause_image_that_was_set(self) -> None:
        """The pause image is the one that is set, or that K3s had at its last start."""
        self.node.replace(f"{CONTAINERD}/config.toml", "mirrored-pause:3.6", "mirrored-pause:3.9")
        (found,) = self.node.diagnose()
        self.assertIn("bootstrap-registry.airgap/rancher/mirrored-pause:3.9", found.problem)
        self.node.write(f"{CONFIG}.d/a.yaml", "pause-image: rancher/mirrored-pause:3.6\n")
        self.node.restart_k3s()
        self.assert_nothing_found()
