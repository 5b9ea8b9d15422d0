"""Tests for the doctor's rules about the tree, and about what the node will ask for."""

import os

from minreg.defaults import DEFAULT_ROOT
from minreg.oci.names import Digest
from tests.doctor_support import RulesTestCase
from tests.nodes import CONFIG, CONTAINERD, PAUSE, REGISTRIES, SERVICE, elf

_PAUSE = f"{DEFAULT_ROOT}/{PAUSE}"
_MANIFESTS = f"{_PAUSE}/manifests"
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
                "the directory does not exist: minreg responds with 503 until it does",
                "unpack the tree there",
            )
        )

    def test_one_level_below(self) -> None:
        """A tree that was unpacked one level below is not found."""
        self.node.remove(DEFAULT_ROOT)
        os.makedirs(self.node.place(f"{DEFAULT_ROOT}/content"))
        self.assert_found(
            (
                "root-missing",
                DEFAULT_ROOT,
                "the directory has no repositories: minreg has no image to serve",
                "unpack the tree directly there, not into a directory below",
            )
        )

    def test_rule_root_unreadable(self) -> None:
        """The service has a user of its own, who owns nothing."""
        os.chmod(self.node.place(_MANIFESTS), 0o750)
        self.assert_found(
            (
                "root-unreadable",
                DEFAULT_ROOT,
                f"the user of the service may not read {_MANIFESTS}: these are not served",
                f"chmod -R a+rX {DEFAULT_ROOT}",
            )
        )

    def test_other_user(self) -> None:
        """If the service has a configured user, permissions are not checked."""
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
                    "bootstrap-registry.airgap/rancher/mirrored-pause:3.6 is requested as "
                    "http://127.0.0.1:9080/v2/rancher/mirrored-pause/manifests/3.6"
                    "?ns=bootstrap-registry.airgap, but is not in the tree; without it no pod "
                    "starts"
                ),
                (
                    "minreg download docker.io/rancher/mirrored-pause:3.6, on a machine "
                    f"with a network; then copy it to {DEFAULT_ROOT}"
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
                    "docker.io/rancher/mirrored-pause:3.6 is pulled from "
                    "https://registry-1.docker.io only, not from minreg on this node; "
                    "without it no pod starts"
                ),
                (f"minreg registries docker.io --merge {REGISTRIES} --output {REGISTRIES}"),
            )
        )
        for path in (REGISTRIES, "/etc/systemd/system/minreg.socket"):
            self.node.replace(path, ":9080", ":9081")
        self.node.restart_k3s()
        (finding,) = self.node.diagnose()
        self.assertIn("docker.io --endpoint http://127.0.0.1:9081 --merge", finding.fix)

    def test_other_registries(self) -> None:
        """Images that another mirror may have are not reported as missing."""
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
                    "bootstrap-registry.airgap/rancher/a:1 is requested as "
                    "http://127.0.0.1:9080/v2/rancher/a/manifests/1?ns=bootstrap-registry.airgap, "
                    "but is not in the tree (K3s v1.33.4+k3s1 needs it); the same applies to "
                    "bootstrap-registry.airgap/rancher/b:2"
                ),
                (
                    "minreg download docker.io/rancher/a:1, on a machine with a network; then "
                    f"copy it to {DEFAULT_ROOT}"
                ),
            )
        )

    def test_newest_release(self) -> None:
        """Of several releases the newest counts."""
        self.node.write(_LIST, "docker.io/rancher/mirrored-pause:3.6\n")
        self.node.write(_LIST.replace("v1.33.4", "v1.9.9"), "docker.io/rancher/gone:1\n")
        self.assert_nothing_found()

    def test_disabled(self) -> None:
        """Disabled components need no images."""
        self.node.write(_LIST, "docker.io/rancher/mirrored-library-traefik:3\n")
        self.assert_nothing_found()
        self.node.replace(SERVICE, "'--disable=traefik'", "'--debug'")
        self.assertEqual([one.rule.id for one in self.node.diagnose()], ["images-missing"])

    def test_rule_images_broken(self) -> None:
        """A tree that was carried over in part lacks layers, or has parts of them."""
        digest = Digest.of(b"pause")
        os.truncate(self.node.tree.blob_path(b"pause"), 3)
        self.assert_found(
            (
                "images-broken",
                DEFAULT_ROOT,
                (
                    "1 image in the tree cannot be pulled: rancher/mirrored-pause:3.6 "
                    f"({digest} is missing or truncated)"
                ),
                (
                    f"copy the tree to {DEFAULT_ROOT} again; minreg verify -d {DEFAULT_ROOT} "
                    "lists everything wrong"
                ),
            )
        )

    def test_broken_for_others(self) -> None:
        """Content for other architectures, and referrers, may be missing."""
        foreign = self.node.tree.add_image("a/b", "arm64", b"foreign")
        own = self.node.tree.add_image("a/b", "amd64", b"own")
        self.node.tree.add_index("a/b", own, foreign, tag="1")
        os.unlink(self.node.tree.blob_path(b"foreign"))
        fingerprint = self.node.tree.add_image("a/b", "amd64", b"signature", subject=own)
        os.unlink(self.node.tree.blob_path(b"signature"))
        self.assertTrue(fingerprint)
        self.assert_nothing_found()
        os.unlink(self.node.tree.blob_path(b"own"))
        self.assertEqual([found.rule.id for found in self.node.diagnose()], ["images-broken"])

    def test_empty(self) -> None:
        """A manifest that was not written out before the power went is empty."""
        self.node.tree.add_image("a/b", "amd64", b"layer", tags=("1",))
        path = f"{DEFAULT_ROOT}/a/b/manifests/1"
        self.node.remove(path)
        self.node.write(path, b"")
        (finding,) = self.node.diagnose()
        self.assertEqual(
            (finding.rule.id, finding.problem),
            (
                "images-broken",
                f"1 image in the tree cannot be pulled: a/b:1 ({path} is empty: copy it again)",
            ),
        )

    def test_links(self) -> None:
        """Content may lie where links from the tree are allowed to lead."""
        place = self.node.place
        os.makedirs(place("/srv"))
        os.rename(place(_MANIFESTS), place("/srv/manifests"))
        os.symlink(os.path.relpath(place("/srv/manifests"), place(_PAUSE)), place(_MANIFESTS))
        (finding, *_) = self.node.diagnose()
        self.assertEqual(finding.rule.id, "images-broken")
        self.assertEqual(
            (finding.problem, finding.fix),
            (
                (
                    f"no image of {PAUSE} can be pulled: {_MANIFESTS} leads out of the root, to "
                    "/srv/manifests"
                ),
                "copy the content into the root, or give --allow-links-to /srv",
            ),
        )
        self.node.write(
            "/etc/systemd/system/minreg.service.d/links.conf",
            "[Service]\nEnvironment=MINREG_OPTIONS=--allow-links-to=/srv\n",
        )
        self.assert_nothing_found()

    def test_rule_platform(self) -> None:
        """k3s-io/k3s#1285: images for other processors do not run here."""
        self.node.write("/usr/bin/env", elf(183))
        self.assert_found(
            (
                "platform",
                DEFAULT_ROOT,
                (
                    "1 image in the tree cannot run on this node, which is linux/arm64: "
                    "rancher/mirrored-pause:3.6 (linux/amd64)"
                ),
                "download them again with --platform linux/arm64, and copy them here",
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
