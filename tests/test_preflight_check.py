"""Tests for ``minreg.preflight.check``: from a tag to its layers."""

import json
import os

from minreg.oci.names import OCI_LAYER, OCI_MANIFEST, Digest
from minreg.oci.platforms import Platform
from minreg.preflight.check import check_image
from minreg.store.interfaces import StoreUnavailable
from minreg.store.repository import TreeRepository
from minreg.store.tree import RegistryTree
from tests.preflight_support import AMD64, ARM64, PAUSE, CheckTestCase, required, shape
from tests.store_support import without_privileges
from tests.trees import descriptor, index


class CheckTests(CheckTestCase):
    """Tests for ``check_image``, link by link of the chain."""

    def test_complete(self) -> None:
        """Nothing is wrong with an image that has all for the node."""
        self.release.add(PAUSE)
        self.assertEqual(self.problems(), ())

    def test_bare(self) -> None:
        """An image without an index is for the platform that its config states."""
        child = self.release.add_bare(PAUSE, "arm64")
        self.assertEqual(self.problems(platform=ARM64), ())
        self.assertEqual(
            self.problems(), (f"config {child.config} is for linux/arm64, not for linux/amd64",)
        )

    def test_no_repository(self) -> None:
        """An image without a repository is a problem."""
        self.assertEqual(self.problems(), ("there is no repository rancher/mirrored-pause",))

    def test_circle(self) -> None:
        """A repository that cannot be read is a problem, with the reason."""
        os.makedirs(self.release.path("rancher"))
        os.symlink("mirrored-pause", self.release.path("rancher", "mirrored-pause"))
        [problem] = self.problems()
        self.assertIn("is a link that leads back to itself", problem)

    def test_no_tag(self) -> None:
        """A missing tag is a problem."""
        self.release.add(PAUSE)
        self.release.remove_tag(PAUSE)
        self.assertEqual(self.problems(), ("tag 3.6 is not in repository rancher/mirrored-pause",))
        self.release.add(PAUSE.replace("3.6", "3.5"))
        self.assertEqual(
            self.problems(),
            ("tag 3.6 is not in repository rancher/mirrored-pause, which has 3.5",),
        )

    def test_no_manifest(self) -> None:
        """The manifest for the node's platform must be there."""
        self.release.add(PAUSE)
        self.assertEqual(
            self.problems(platform=ARM64), ("its manifest for linux/arm64 is not here",)
        )

    def test_second_best(self) -> None:
        """A node pulls the best platform in the index, and no other if that one is missing."""
        self.release.add(PAUSE, platforms=("arm/v6", "arm/v7"))
        self.assertEqual(self.problems(platform=Platform("linux", "arm", "v6")), ())
        self.assertEqual(
            self.problems(platform=Platform("linux", "arm", "v7")),
            ("its manifest for linux/arm/v7 is not here",),
        )

    def test_not_offered(self) -> None:
        """Of a platform that an image does not have, the others are named."""
        self.release.add(PAUSE)
        self.assertEqual(
            self.problems(platform=Platform("linux", "riscv64")),
            ("it has no image for linux/riscv64, only for linux/amd64, linux/arm64",),
        )

    def test_all_platforms(self) -> None:
        """All platforms of an index can be required."""
        self.release.add(PAUSE)
        self.assertEqual(
            self.problems(platform=None), ("its manifest for linux/arm64 is not here",)
        )

    def test_empty_index(self) -> None:
        """An index of nothing is of no use to anybody."""
        self.release.add_manifest("a", index([]), "1")
        for platform in (AMD64, None):
            self.assertEqual(self.problems("quay.io/a:1", platform), ("its index names no image",))

    def test_broken_manifest(self) -> None:
        """A damaged manifest is a problem, with its path."""
        child = self.release.add(PAUSE)
        path = self.release.path("rancher/mirrored-pause/manifests", str(child.manifest))
        with open(path, "ab") as file:
            file.write(b" ")
        [problem] = self.problems()
        self.assertRegex(problem, f"manifest {child.manifest}: .* does not hold what its name")

    def test_wrong_config(self) -> None:
        """A config must be of the platform that the index says, whatever the node is."""
        child = self.release.add(PAUSE, of="arm64")
        problem = f"config {child.config} is for linux/arm64, not for linux/amd64"
        self.assertEqual(self.problems(), (problem,))

    def test_no_platform_in_config(self) -> None:
        """A config that says nothing of its platform is a finding."""
        child = self.release.add(PAUSE)
        self.release.write(b"[" * child.size, "blobs", str(child.config))
        os.truncate(
            self.release.blob(child.config), len(json.dumps({**shape("amd64"), "image": PAUSE}))
        )
        self.assertEqual(self.problems(), (f"config {child.config} does not state its platform",))

    def test_artifact(self) -> None:
        """What is no image has no platform, and is complete without."""
        chart = descriptor(
            "application/vnd.cncf.helm.config.v1+json", self.release.add_blob(b"{}"), 2
        )
        layer = descriptor(OCI_LAYER, self.release.add_blob(b"layer"), 5)
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": chart}
        self.release.add_manifest("chart", {**document, "layers": [layer]}, "1")
        self.assertEqual(self.problems("ghcr.io/chart:1"), ())

    def test_blobs(self) -> None:
        """Config and layers must be there, and whole."""
        child = self.release.add(PAUSE)
        size = os.stat(self.release.blob(child.layer)).st_size
        self.release.truncate(child.layer)
        os.unlink(self.release.blob(child.config))
        self.assertEqual(
            self.problems(),
            (
                f"config {child.config} is missing",
                f"layer {child.layer} has 3 bytes, and should have {size}",
            ),
        )

    def test_link_out(self) -> None:
        """A file that the registry would not serve is a problem."""
        child = self.release.add(PAUSE)
        outside = os.path.abspath(self.mktemp())
        os.rename(self.release.blob(child.layer), outside)
        os.symlink(outside, self.release.blob(child.layer))
        [problem] = self.problems()
        self.assertIn("leads out of the root", problem)
        allowed = RegistryTree(self.root, {}, [os.path.dirname(outside)])
        self.assertEqual(check_image(allowed, required(PAUSE), AMD64).problems, ())

    def test_not_readable(self) -> None:
        """A file without read permission is a problem."""
        child = self.release.add(PAUSE)
        os.chmod(self.release.blob(child.layer), 0)
        with without_privileges(self.root):
            [problem] = self.problems()
        self.assertIn("cannot be read by this user", problem)

    def test_malformed(self) -> None:
        """A malformed manifest is a problem."""
        document = {**self.release.image(), "layers": [{"size": 1}]}
        digest = self.release.add_manifest("a", document, "1")
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": []}
        other = self.release.add_manifest("a", document, "2")
        self.assertEqual(
            self.problems("quay.io/a:1"),
            (f"manifest {digest} is malformed: layers[0] has no media type",),
        )
        self.assertEqual(self.problems("quay.io/a:2"), (f"its manifest {other} names no config",))

    def test_wrong_size_in_index(self) -> None:
        """Containerd refuses a manifest of another size than its index says."""
        document = self.release.image()
        digest = self.release.add_manifest("a", document)
        child = descriptor(OCI_MANIFEST, digest, 7, platform=shape("amd64"))
        self.release.add_manifest("a", index([child]), "1")
        size = len(json.dumps(document))
        self.assertEqual(
            self.problems("quay.io/a:1"),
            (f"its index says 7 bytes of a manifest that has {size}",),
        )

    def test_too_much(self) -> None:
        """An image with too many parts is a problem, and is not inspected."""
        children = [
            descriptor(OCI_MANIFEST, Digest.of(b"%d" % number), 1) for number in range(5001)
        ]
        self.release.add_manifest("a", index(children), "1")
        layers = [{**child, "mediaType": OCI_LAYER} for child in children]
        image = {**self.release.image(), "layers": layers}
        self.release.add_manifest("a", image, "2")
        self.patch(TreeRepository, "measure_blob", None)
        for tag in ("1", "2"):
            self.assertEqual(
                self.problems(f"quay.io/a:{tag}", None),
                ("it has more than 5000 manifests and layers, too many to inspect",),
            )
        self.release.add_manifest("a", index(children[:5000]), "3")
        self.assertEqual(len(self.problems("quay.io/a:3", None)), 5000)

    def test_long(self) -> None:
        """However long a platform's name is, a problem is not."""
        platform = {"os": "linux", "architecture": "a" * 100_000}
        child = descriptor(OCI_MANIFEST, Digest.of(b"x"), 1, platform=platform)
        self.release.add_manifest("a", index([child]), "1")
        for wanted_platform in (AMD64, None):
            [problem] = self.problems("quay.io/a:1", wanted_platform)
            self.assertEqual((len(problem), problem[-2:]), (501, "a…"))

    def test_no_root(self) -> None:
        """A tree that cannot be read is an error, and nothing is reported missing."""
        self.release.add(PAUSE)
        os.rename(self.root, f"{self.root}.gone")
        self.assertRaises(StoreUnavailable, self.problems)
