"""What ``minreg import`` makes of the archives that the tools of today write."""

import json
import os
import shutil
import subprocess
import sys

from twisted.trial.unittest import SkipTest

from minreg.fill.sample import NOTE_TYPE
from tests.e2e.archives import import_archive, pack_layout
from tests.e2e.containerd import NO_WAY_OUT
from tests.e2e.content import ARCHITECTURE, SAMPLE, sample_image, skopeo_copy, write_sample
from tests.e2e.images import read_file
from tests.e2e.programs import run
from tests.e2e.real_registry import Layout, RealRegistry, start_registry
from tests.e2e.support import EndToEndTestCase
from tests.e2e.trees import read_tree
from tests.image_archives import make_tar, unpack


class ArchiveToolTestCase(EndToEndTestCase):
    """A tool that writes an archive, and a tree to import it into."""

    def setUp(self) -> None:
        """Choose the paths of an archive and a tree."""
        self.directory = self.make_directory()
        self.archive = self.path("archive")
        self.root = self.path("registry")

    def path(self, name: str) -> str:
        """Return a path for a file of the test."""
        return os.path.join(self.directory, name)

    def import_archive(self, *arguments: str) -> str:
        """Import the archive, and check that the tree is complete."""
        said = import_archive(self.root, self.archive, *arguments)
        run(sys.executable, "-m", "minreg", "verify", "-d", self.root)
        return said

    def refuse(self, *arguments: str) -> str:
        """Import an archive that is refused, and return the error."""
        command = [sys.executable, "-m", "minreg", "import", "-d", self.root, *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual((ended.returncode, ended.stdout), (1, ""))
        return ended.stderr

    def serve_sample(self) -> str:
        """Serve the sample image, and return the registry's address."""
        tree = self.path("upstream-tree")
        write_sample(tree)
        return self.start_daemon(tree).registry

    def start_registry(self) -> RealRegistry:
        """Start a registry that accepts pushes, until the test ends."""
        registry = start_registry(self.path("upstream"))
        self.addCleanup(registry.stop)
        return registry

    def push_image(self, registry: RealRegistry, name: str) -> str:
        """Push an index with an image, and return its digest."""
        layout = Layout(self.path("pushed"))
        files = [("bin/sh", b"#"), ("etc/passwd", b"root"), ("usr/lib/os-release", b"")]
        index = layout.write_index([layout.write_image(ARCHITECTURE, [make_tar(files)])])
        registry.push(layout.directory, name)
        return str(index["digest"])

    def list_referrers(self, repository: str, digest: str) -> list[str]:
        """Return the artifact types that the served tree lists as referrers of a manifest."""
        registry = self.start_daemon(self.root).registry
        url = f"http://{registry}/v2/{repository}/referrers/{digest}"
        listed = json.loads(run("curl", "--silent", "--fail", url))["manifests"]
        return [str(referrer["artifactType"]) for referrer in listed]


class DebianToolTests(ArchiveToolTestCase):
    """Tests with skopeo, podman and buildah."""

    def setUp(self) -> None:
        """Write the sample image as an OCI layout."""
        super().setUp()
        self.need_programs("skopeo")
        packed = self.path("layout.tar")
        pack_layout(sample_image(), packed)
        self.layout = self.path("layout")
        unpack(read_file(packed), self.layout)

    def storage(self, program: str) -> list[str]:
        """Return the beginning of a command line with a storage of its own."""
        self.need_programs(program)
        self.need_to_mount()
        places = [f"--root={self.path('storage')}", f"--runroot={self.path('run')}"]
        return [program, *places, "--storage-driver=vfs"]

    def test_skopeo_directory(self) -> None:
        """``skopeo copy … dir:`` keeps the index, and has no name."""
        skopeo_copy(f"oci:{self.layout}", f"dir:{self.archive}")
        self.import_archive("--name", "quay.io/a/b:1")
        self.assertEqual(read_tree(self.root, "a/b", "1"), sample_image())

    def test_packed_parent(self) -> None:
        """A directory that was packed from above is named."""
        skopeo_copy(f"oci:{self.layout}", f"dir:{self.path('all_images')}")
        run("tar", "-C", self.directory, "-cf", self.archive, "all_images")
        said = self.refuse(self.archive)
        self.assertIn("the image archive is in its directory 'all_images'; unpack it", said)

    def test_skopeo_unnamed(self) -> None:
        """A layout with one named image and one without a tag."""
        for name in (f"{self.archive}:1", self.archive):
            skopeo_copy(f"oci:{self.layout}", f"oci:{name}")
        self.import_archive("--name", "quay.io/a/b")
        self.assertEqual(read_tree(self.root, "a/b", "1"), sample_image())
        self.assertFalse(os.path.lexists(f"{self.root}/a/b/manifests/latest"))

    def test_podman(self) -> None:
        """``podman save`` writes several images with their names, in both formats."""
        podman = self.storage("podman")
        for name in ("quay.io/a/b:1", "localhost/c:2"):
            loaded = run(*podman, "pull", "--quiet", f"oci:{self.layout}").strip()
            run(*podman, "tag", loaded, name)
        run(*podman, "save", "-m", "-o", self.archive, "quay.io/a/b:1", "localhost/c:2")
        said = self.import_archive()
        self.assertIn("quay.io/a/b:1 is now a/b:1, ", said)
        self.assertIn("localhost/c:2 is now c:2, ", said)
        os.unlink(self.archive)
        run(*podman, "save", "--format=oci-archive", "-o", self.archive, "quay.io/a/b:1")
        self.assertIn("quay.io/a/b:1 is now a/b:1, ", self.import_archive())

    def test_buildah(self) -> None:
        """``buildah push`` writes a layout with the name that it is given."""
        buildah = self.storage("buildah")
        pulled = run(*buildah, "pull", "--quiet", f"oci:{self.layout}").strip()
        target = f"oci-archive:{self.archive}:quay.io/a/b:1"
        run(*buildah, "push", "--quiet", pulled, target)
        self.assertIn("quay.io/a/b:1 is now a/b:1, ", self.import_archive())


class CraneTests(ArchiveToolTestCase):
    """Tests with crane."""

    def setUp(self) -> None:
        """Push an image to a registry."""
        super().setUp()
        self.need_programs("crane", "docker-registry", "skopeo")
        upstream = self.start_registry()
        self.digest = self.push_image(upstream, "a/b:1")
        self.repository = f"{upstream.host}/a/b"

    def test_formats(self) -> None:
        """Each format that ``crane pull`` writes is imported."""
        for form in ("tarball", "legacy", "oci"):
            self.archive = self.path(form)
            run("crane", "pull", f"--format={form}", f"{self.repository}:1", self.archive)
            name = ("--name", f"{self.repository}:1") if form == "oci" else ()
            self.assertIn(f"{self.repository}:1 is now a/b:1, ", self.import_archive(*name))
        self.assertEqual(read_tree(self.root, "a/b", "1").top, self.digest)

    def test_annotated(self) -> None:
        """``crane pull --annotate-ref`` writes a complete name."""
        pull = ("crane", "pull", "--format=oci", "--annotate-ref")
        run(*pull, f"{self.repository}:1", self.archive)
        self.assertIn(f"{self.repository}:1 is now a/b:1, {self.digest}", self.import_archive())

    def test_digest(self) -> None:
        """An image that was pulled by its digest has no tag."""
        run("crane", "pull", f"{self.repository}@{self.digest}", self.archive)
        said = self.refuse(self.archive)
        self.assertIn("has no name for its image; give --name REPOSITORY:TAG", said)
        self.import_archive("--name", f"{self.repository}:1")

    def test_export(self) -> None:
        """``crane export`` writes a file system."""
        run("crane", "export", f"{self.repository}:1", self.archive)
        self.assertIn("this is the file system of a container", self.refuse(self.archive))


class OrasTests(ArchiveToolTestCase):
    """Tests with oras."""

    def test_referrers(self) -> None:
        """``oras copy -r`` writes referrers without a name; the registry lists them."""
        self.need_programs("oras", "skopeo", "curl")
        source = ("--from-plain-http", f"{self.serve_sample()}/{SAMPLE}:1.0")
        run("oras", "copy", "-r", *source, "--to-oci-layout", f"{self.archive}:1.0")
        for name in ("quay.io/a/b", "quay.io/a/b:1.0"):
            self.root = self.path(f"registry-{len(name)}")
            self.import_archive("--name", name)
            self.assertEqual(read_tree(self.root, "a/b", "1.0"), sample_image())
            self.assertEqual(self.list_referrers("a/b", sample_image().top), [NOTE_TYPE])
            self.assertFalse(os.path.lexists(f"{self.root}/a/b/manifests/latest"))


class CosignTests(ArchiveToolTestCase):
    """Tests with cosign."""

    def setUp(self) -> None:
        """Push an image, and sign it as cosign 2 does, without any service of the Internet."""
        super().setUp()
        self.need_programs("cosign", "docker-registry", "skopeo")
        upstream = self.start_registry()
        self.digest = self.push_image(upstream, "a/b:1")
        self.repository = f"{upstream.host}/a/b"
        settings = self.path("signing-config.json")
        self.cosign("generate-key-pair", "--output-key-prefix", self.path("key"))
        self.cosign("signing-config", "create", "--out", settings)
        sign = ("sign", "--yes", "--allow-http-registry", "--signing-config", settings)
        image = f"{self.repository}@{self.digest}"
        old = "--new-bundle-format=false"
        self.cosign(*sign, old, "--key", self.path("key.key"), image)

    def cosign(self, *arguments: str) -> str:
        """Run cosign, and return what it prints."""
        home = {"HOME": self.directory, "COSIGN_PASSWORD": ""}
        return run("cosign", *arguments, environment={**NO_WAY_OUT, **home})

    def test_save(self) -> None:
        """``cosign save`` has no names; the signature is found under cosign's tag."""
        save = ("save", "--allow-http-registry", "--dir", self.archive)
        self.cosign(*save, f"{self.repository}:1")
        said = self.import_archive("--name", "quay.io/c/d:1")
        tag = self.digest.replace(":", "-")
        self.assertIn(f"quay.io/c/d:1 is now c/d:1, {self.digest}", said)
        self.assertIn(f"quay.io/c/d:{tag}.sig is now c/d:{tag}.sig, ", said)
        registry = self.start_daemon(self.root).registry
        verify = ("verify", "--allow-http-registry", "--insecure-ignore-tlog", "--key")
        self.cosign(*verify, self.path("key.pub"), f"{registry}/c/d:1")


class HaulerTests(ArchiveToolTestCase):
    """Tests with Hauler."""

    def test_haul(self) -> None:
        """``hauler store save`` packs images with their names, and their signatures."""
        if shutil.which("hauler") is None:
            raise SkipTest("hauler is missing: go install hauler.dev/go/hauler/cmd/hauler@latest")
        self.need_programs("docker-registry", "skopeo")
        upstream = self.start_registry()
        digest = self.push_image(upstream, "a/b:1")
        self.push_image_signature(upstream, digest)
        store = f"--store={self.path('store')}"
        home = {"HOME": self.directory}
        run("hauler", "store", "add", "image", f"{upstream.host}/a/b:1", store, environment=home)
        self.archive = self.path("haul.tar.zst")
        run("hauler", "store", "save", store, f"--filename={self.archive}", environment=home)
        said = self.import_archive()
        tag = digest.replace(":", "-")
        self.assertIn(f"{upstream.host}/a/b:1 is now a/b:1, {digest}", said)
        self.assertIn(f"{upstream.host}/a/b:{tag}.sig is now a/b:{tag}.sig, ", said)

    def push_image_signature(self, registry: RealRegistry, digest: str) -> None:
        """Push what stands for a signature, under the tag where cosign looks for it."""
        layout = Layout(self.path("signature"))
        layout.name(layout.write_image(ARCHITECTURE, [b"signature"]))
        registry.push(layout.directory, f"a/b:{digest.replace(':', '-')}.sig")
