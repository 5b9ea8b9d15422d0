"""Tests with skopeo: inspecting and copying images."""

import json
import os

from tests.e2e.content import (
    ARCHITECTURE,
    SAMPLE,
    docker_image,
    sample_image,
    skopeo_copy,
    write_sample,
)
from tests.e2e.images import Image, only_platform, read_directory, sparse
from tests.e2e.programs import ProgramFailed, run
from tests.e2e.support import EndToEndTestCase
from tests.e2e.trees import FieldTree, read_tree

REPOSITORY = "rancher/mirrored-sample"


class SkopeoTestCase(EndToEndTestCase):
    """A test in which skopeo reads from a daemon."""

    def setUp(self) -> None:
        """Find skopeo, and create a directory for a tree."""
        self.need_programs("skopeo")
        self.root = os.path.join(self.make_directory(), "registry")

    def serve(self) -> None:
        """Start the daemon."""
        self.registry = self.start_daemon(self.root).registry

    def copy(self, name: str, *options: str) -> Image:
        """Copy an image with all platforms into a directory, and read it."""
        directory = os.path.join(self.make_directory(), "copy")
        skopeo_copy(*options, f"docker://{self.registry}/{name}", f"dir:{directory}")
        return read_directory(directory)


class InspectionTests(SkopeoTestCase):
    """Tests for inspecting the sample."""

    def setUp(self) -> None:
        """Serve the sample tree."""
        super().setUp()
        write_sample(self.root)
        self.serve()

    def test_inspect(self) -> None:
        """An image's digest, tags, platform and layers."""
        seen = json.loads(self.skopeo("inspect", f"docker://{self.registry}/{SAMPLE}:1.0"))
        image = read_tree(self.root, SAMPLE, "1.0")
        layers = image.document(image.child_for(ARCHITECTURE))["layers"]
        self.assertEqual(seen["Name"], f"{self.registry}/{SAMPLE}")
        self.assertEqual(seen["Digest"], image.top)
        self.assertEqual(seen["RepoTags"], ["1.0", "latest"])
        self.assertEqual((seen["Os"], seen["Architecture"]), ("linux", ARCHITECTURE))
        self.assertEqual(seen["Layers"], [layer["digest"] for layer in layers])

    def test_inspect_raw(self) -> None:
        """The index is returned byte for byte."""
        url = f"docker://{self.registry}/{SAMPLE}:latest"
        image = read_tree(self.root, SAMPLE, "latest")
        self.assertEqual(self.skopeo("inspect", "--raw", url), image.manifests[image.top].decode())

    def test_list_tags(self) -> None:
        """All tags of a repository."""
        listed = json.loads(self.skopeo("list-tags", f"docker://{self.registry}/{SAMPLE}"))
        self.assertEqual(listed["Tags"], ["1.0", "latest"])

    def test_unknown_tag(self) -> None:
        """A missing tag is reported as missing."""
        refusal = self.assertRaises(
            ProgramFailed, self.skopeo, "inspect", f"docker://{self.registry}/{SAMPLE}:2.0"
        )
        self.assertIn("manifest unknown", str(refusal))

    def skopeo(self, command: str, *arguments: str) -> str:
        """Run one of skopeo's commands against a registry without TLS."""
        return run("skopeo", command, "--tls-verify=false", *arguments)


class CopyTests(SkopeoTestCase):
    """Tests for copying whole images."""

    def assert_copied(self, image: Image) -> None:
        """Serve an image, copy it, and check that nothing has changed."""
        FieldTree(self.root).add(REPOSITORY, "1.0", image)
        self.serve()
        copied = self.copy(f"{REPOSITORY}:1.0", "--preserve-digests")
        self.assertEqual(copied, image)

    def test_index(self) -> None:
        """An OCI index keeps its digest, and so do its manifests and blobs."""
        self.assert_copied(sample_image())

    def test_one_platform(self) -> None:
        """An OCI manifest keeps its digest."""
        self.assert_copied(only_platform(sample_image(), ARCHITECTURE))

    def test_docker_manifest_list(self) -> None:
        """A Docker manifest list keeps its digest, and so do its manifests and blobs."""
        self.assert_copied(docker_image())

    def test_docker_manifest(self) -> None:
        """A Docker schema 2 manifest keeps its digest."""
        self.assert_copied(only_platform(docker_image(), ARCHITECTURE))

    def test_host_in_the_path(self) -> None:
        """From a tree with host names, an image is pulled by its full name."""
        FieldTree(self.root).add(f"ghcr.io/{REPOSITORY}", "1.0", sample_image())
        self.serve()
        copied = self.copy(f"ghcr.io/{REPOSITORY}:1.0", "--preserve-digests")
        self.assertEqual(copied, sample_image())

    def test_platform_that_is_missing(self) -> None:
        """Copying all platforms of a sparse index fails, and names the missing manifest."""
        FieldTree(self.root).add(REPOSITORY, "1.0", sparse(sample_image(), ARCHITECTURE))
        self.serve()
        refusal = self.assertRaises(ProgramFailed, self.copy, f"{REPOSITORY}:1.0")
        self.assertIn("manifest unknown", str(refusal))

    def test_push(self) -> None:
        """Pushing fails, and skopeo prints the reason."""
        FieldTree(self.root).add(REPOSITORY, "1.0", sample_image())
        self.serve()
        before = sorted(os.walk(self.root))
        name = f"docker://{self.registry}/{REPOSITORY}"
        refusal = self.assertRaises(
            ProgramFailed, skopeo_copy, "--dest-tls-verify=false", f"{name}:1.0", f"{name}:2.0"
        )
        self.assertIn("read-only", str(refusal))
        self.assertEqual(sorted(os.walk(self.root)), before)
