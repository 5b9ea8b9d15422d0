"""Tests for the doctor's rules about the tree, and about what the node will ask for."""

import os
import shlex
import subprocess

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
                    "https://registry-1.docker.io only, not from minreg on this node, which has "
                    "it; without it no pod starts"
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
                    "minreg download docker.io/rancher/a:1 docker.io/rancher/b:2, on a machine "
                    f"with a network; then copy it to {DEFAULT_ROOT}"
                ),
            )
        )

    def test_several_registries(self) -> None:
        """Images of several registries with the same cause are one finding, and one fix."""
        images = "/var/lib/rancher/k3s/agent/images/app.txt"
        self.node.write(images, "quay.io/a/b:1\nghcr.io/c/d:2\nquay.io/e/f:3\n")
        fix = f"minreg registries quay.io ghcr.io --merge {REGISTRIES} --output {REGISTRIES}"
        self.assert_found(
            (
                "images-missing",
                REGISTRIES,
                (
                    "quay.io/a/b:1 is pulled from https://quay.io only, not from minreg on this "
                    f"node (it is in {images}); the same applies to ghcr.io/c/d:2, quay.io/e/f:3"
                ),
                fix,
            )
        )
        self.node.write(
            REGISTRIES,
            self.node.read(REGISTRIES)
            + "".join(
                f"  {name}:\n    endpoint: ['http://127.0.0.1:9080']\n"
                for name in ("quay.io", "ghcr.io")
            ),
        )
        self.node.restart_k3s()
        (found,) = self.node.diagnose()
        command = "minreg download quay.io/a/b:1 ghcr.io/c/d:2 quay.io/e/f:3, on a machine "
        self.assertTrue(found.fix.startswith(command), found.fix)

    def test_many(self) -> None:
        """A command does not name hundreds of images."""
        images = "".join(f"quay.io/a/b:{number}\n" for number in range(23))
        self.node.write("/var/lib/rancher/k3s/agent/images/app.txt", images)
        self.node.write(
            REGISTRIES,
            f"{self.node.read(REGISTRIES)}  quay.io:\n    endpoint: ['http://127.0.0.1:9080']\n",
        )
        self.node.restart_k3s()
        (found,) = self.node.diagnose()
        self.assertIn("quay.io/a/b:19, and 3 more images of those below, on a", found.fix)

    def test_wildcard(self) -> None:
        """Different causes are different findings."""
        self.node.tree.add_image("a/b", "amd64", b"layer", tags=("1",))
        self.node.write(
            "/var/lib/rancher/k3s/agent/images/app.txt", "quay.io/a/b:1\nghcr.io/a/b:1\n"
        )
        endpoint = "endpoint: [https://harbor.example]"
        self.node.write(
            REGISTRIES,
            f'{self.node.read(REGISTRIES)}  "*": {{{endpoint}}}\n  ghcr.io: {{{endpoint}}}\n',
        )
        self.node.restart_k3s()
        end = f" --merge {REGISTRIES} --output {REGISTRIES}"
        self.assertEqual(
            [(found.rule.id, found.fix) for found in self.node.diagnose()],
            [
                ("images-missing", f"minreg registries --wildcard{end}"),
                ("images-missing", f"minreg registries ghcr.io{end}"),
            ],
        )

    def test_rule_root_too_deep(self) -> None:
        """A tree that was unpacked one level too deep, or more, is moved up."""
        for nested in ("registry", "var/lib/registry"):
            os.rename(self.node.place(DEFAULT_ROOT), self.node.place("/unpacked"))
            place = self.node.place(f"{DEFAULT_ROOT}/{nested}")
            os.makedirs(os.path.dirname(place))
            os.rename(self.node.place("/unpacked"), place)
            move = (
                f"cd {DEFAULT_ROOT} && find {nested} -mindepth 1 -maxdepth 1 -exec mv -t . {{}} + "
                f"&& rmdir -p {nested}"
            )
            self.assert_found(
                (
                    "root-too-deep",
                    DEFAULT_ROOT,
                    (
                        f"the tree is in {DEFAULT_ROOT}/{nested}: minreg expects its images "
                        f"directly in {DEFAULT_ROOT}"
                    ),
                    move,
                )
            )
            move = move.replace(DEFAULT_ROOT, shlex.quote(self.node.place(DEFAULT_ROOT)))
            subprocess.run(["/bin/sh", "-c", move], check=True)
            self.assert_nothing_found()

    def test_own_blobs(self) -> None:
        """Repositories with blobs of their own are no trees of their own."""
        for path in (f"{DEFAULT_ROOT}/blobs", f"{DEFAULT_ROOT}/rancher/blobs", f"{_PAUSE}/blobs"):
            blobs = self.node.place(path)
            if os.path.islink(blobs):
                os.unlink(blobs)
            else:
                os.rename(blobs, self.node.place("/blobs"))
        os.rename(self.node.place("/blobs"), self.node.place(f"{_PAUSE}/blobs"))
        self.assert_nothing_found()

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
