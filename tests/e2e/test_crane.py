"""crane reads trees that the script of minimal-registry makes with it."""

import json
import os
import shutil

from tests.e2e.content import SAMPLE, write_sample
from tests.e2e.images import Image, compressed, make_index, program_image, read_file
from tests.e2e.programs import ProgramFailed, run
from tests.e2e.real_registry import RealRegistry, start_registry
from tests.e2e.support import EndToEndTestCase
from tests.e2e.trees import FieldTree
from tests.elf import make_program

REPOSITORY = "rancher/mirrored-hello"
ARCHITECTURES = ("amd64", "arm64")


def make_image() -> Image:
    """Make an index of two images with layers that are compressed, as public images are."""
    programs = {name: make_program(name, f"Hello from {name}") for name in ARCHITECTURES}
    return make_index(
        {
            name: compressed(program_image(program, name), "gzip")
            for name, program in programs.items()
        }
    )


class CraneTestCase(EndToEndTestCase):
    """A test with an upstream registry, and a tree of its images."""

    def setUp(self) -> None:
        """Push an image to the upstream registry with crane, from another daemon."""
        self.need_programs("crane", "docker-registry", "skopeo")
        self.upstream = self.start_registry()
        self.image = make_image()
        directory = os.path.join(self.make_directory(), "registry")
        FieldTree(directory).add(REPOSITORY, "1.0", self.image)
        source = self.start_daemon(directory)
        run("crane", "copy", f"{source.registry}/{REPOSITORY}:1.0", self.upstream_name)
        source.stop()
        self.root = os.path.join(self.make_directory(), "registry")
        os.makedirs(os.path.join(self.root, "blobs"))

    @property
    def upstream_name(self) -> str:
        """The name of the image in the upstream registry."""
        return f"{self.upstream.host}/{REPOSITORY}:1.0"

    def start_registry(self) -> RealRegistry:
        """Start a docker-registry without content."""
        registry = start_registry(os.path.join(self.make_directory(), "registry"))
        self.addCleanup(registry.stop)
        return registry

    def fill(self, platform: str) -> str:
        """Pull the image into the tree as the script does; return the digest of its tag."""
        layout = os.path.join(self.make_directory(), "layout")
        run("crane", "pull", "--format=oci", f"--platform={platform}", self.upstream_name, layout)
        manifests = os.path.join(self.root, REPOSITORY, "manifests")
        os.makedirs(manifests)
        for path in ("rancher", REPOSITORY):
            os.symlink("../blobs", os.path.join(self.root, path, "blobs"))
        (descriptor,) = json.loads(read_file(os.path.join(layout, "index.json")))["manifests"]
        blobs = os.path.join(layout, "blobs", "sha256")
        for name in os.listdir(blobs):
            path = os.path.join(blobs, name)
            is_manifest = b'"mediaType"' in read_file(path)
            target = manifests if is_manifest else os.path.join(self.root, "blobs")
            shutil.move(path, os.path.join(target, f"sha256:{name}"))
        os.symlink(descriptor["digest"], os.path.join(manifests, "1.0"))
        return str(descriptor["digest"])


class ScriptTests(CraneTestCase):
    """Tests for what crane reads from the tree."""

    def assert_served(self, platform: str, digest: str) -> None:
        """Fill the tree, serve it, and read all of it with crane."""
        self.assertEqual(self.fill(platform), digest)
        registry = self.start_daemon(self.root).registry
        name = f"{registry}/{REPOSITORY}:1.0"
        self.assertIn("PASS", run("crane", "validate", "--remote", name))
        self.assertEqual(run("crane", "digest", name), f"{digest}\n")
        self.assertEqual(run("crane", "ls", f"{registry}/{REPOSITORY}"), "1.0\n")
        self.assertEqual(run("crane", "catalog", registry), f"{REPOSITORY}\n")
        self.assertEqual(json.loads(run("crane", "manifest", name)), self.image.document(digest))
        other = self.start_registry()
        copied = f"{other.host}/copied/hello:1.0"
        run("crane", "copy", name, copied)
        self.assertEqual(run("crane", "digest", copied), f"{digest}\n")
        self.assertIn("PASS", run("crane", "validate", "--remote", copied))

    def test_platform(self) -> None:
        """A tree for one platform, as the script makes it by default."""
        self.assert_served("linux/amd64", self.image.child_for("amd64"))

    def test_all_platforms(self) -> None:
        """A tree for all platforms."""
        self.assert_served("all", self.image.top)

    def test_config(self) -> None:
        """The configuration for each platform of an index."""
        self.fill("all")
        name = f"{self.start_daemon(self.root).registry}/{REPOSITORY}:1.0"
        for architecture in ARCHITECTURES:
            platform = f"--platform=linux/{architecture}"
            config = json.loads(run("crane", "config", platform, name))
            self.assertEqual(config["architecture"], architecture)

    def test_unknown(self) -> None:
        """An unknown tag is an error with the code of the specification."""
        self.fill("all")
        name = f"{self.start_daemon(self.root).registry}/{REPOSITORY}:2.0"
        error = self.assertRaises(ProgramFailed, run, "crane", "manifest", name)
        self.assertIn("MANIFEST_UNKNOWN", str(error))


class SampleTests(EndToEndTestCase):
    """Tests for the tree that ``minreg sample`` writes."""

    def test_validate(self) -> None:
        """All contents of the sample are as its manifests say."""
        self.need_programs("crane")
        root = os.path.join(self.make_directory(), "registry")
        write_sample(root)
        name = f"{self.start_daemon(root).registry}/{SAMPLE}:1.0"
        self.assertIn("PASS", run("crane", "validate", "--remote", name))
