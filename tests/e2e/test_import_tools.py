"""What ``minreg import`` makes of the archives that the tools of today write."""

import json
import os
import subprocess
import sys

from minreg.fill.sample import NOTE_TYPE
from tests.e2e.archives import import_archive, pack_layout
from tests.e2e.content import ARCHITECTURE, SAMPLE, sample_image, skopeo_copy, write_sample
from tests.e2e.images import digest_of, read_file
from tests.e2e.programs import run
from tests.e2e.real_registry import Layout, RealRegistry, start_registry
from tests.e2e.support import EndToEndTestCase
from tests.e2e.trees import read_tree
from tests.image_archives import make_tar, unpack

# Proxies that do not exist: the registries of the tests are on this machine.
_OFFLINE = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}


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

    def start_registry(self) -> RealRegistry:
        """Start a registry that accepts pushes, until the test ends."""
        registry = start_registry(self.path("upstream"))
        self.addCleanup(registry.stop)
        return registry

    def push_image(self, registry: RealRegistry, name: str) -> str:
        """Push an index with an image, and return the digest that it has there."""
        layout = Layout(self.path("pushed"))
        files = [("bin/sh", b"#"), ("etc/passwd", b"root"), ("usr/lib/os-release", b"")]
        layout.write_index([layout.write_image(ARCHITECTURE, [make_tar(files)])])
        registry.push(layout.directory, name)
        # skopeo compresses the layers.
        source = f"docker://{registry.host}/{name}"
        raw = run("skopeo", "inspect", "--raw", "--tls-verify=false", source)
        return digest_of(raw.encode())


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


class ReferrerTests(ArchiveToolTestCase):
    """Tests with oras and regctl: the sample image has a referrer."""

    def setUp(self) -> None:
        """Serve the sample image."""
        super().setUp()
        self.need_programs("curl")
        tree = self.path("upstream")
        write_sample(tree)
        self.image = read_tree(tree, SAMPLE, "1.0")
        self.source = f"{self.start_daemon(tree).registry}/{SAMPLE}"

    def assert_imported(self, *tags: str) -> None:
        """Check that the tree has the image under its tags only, and lists the referrer."""
        self.assertEqual(read_tree(self.root, "a/b", tags[0]), self.image)
        registry = self.start_daemon(self.root).registry
        url = f"http://{registry}/v2/a/b"
        listed = json.loads(run("curl", "-sSf", f"{url}/referrers/{self.image.top}"))
        types = [referrer["artifactType"] for referrer in listed["manifests"]]
        self.assertEqual(types, [NOTE_TYPE])
        self.assertEqual(json.loads(run("curl", "-sSf", f"{url}/tags/list"))["tags"], list(tags))

    def test_oras_copy(self) -> None:
        """``oras copy -r`` writes referrers and platforms without a tag."""
        self.need_programs("oras")
        source = ("--from-plain-http", f"{self.source}:1.0")
        run("oras", "copy", "-r", *source, "--to-oci-layout", f"{self.archive}:2")
        for name, tag in (("quay.io/a/b", "2"), ("quay.io/a/b:3", "3")):
            self.root = self.path(f"registry-{tag}")
            self.import_archive("--name", name)
            self.assert_imported(tag)

    def test_oras_copy_without_tag(self) -> None:
        """A copy without a tag needs a name with one."""
        self.need_programs("oras")
        source = ("--from-plain-http", f"{self.source}@{self.image.top}")
        run("oras", "copy", "-r", *source, "--to-oci-layout", self.archive)
        said = self.refuse(self.archive, "--name", "quay.io/a/b")
        self.assertIn("no tag for its image; give --name quay.io/a/b:TAG\n", said)
        self.import_archive("--name", "quay.io/a/b:1")
        self.assert_imported("1")

    def test_oras_backup(self) -> None:
        """``oras backup`` writes all tags of a repository."""
        self.need_programs("oras")
        self.archive = self.path("backup.tar")
        backup = ("backup", "--plain-http", "--include-referrers", "--output", self.archive)
        run("oras", *backup, self.source)
        self.import_archive("--name", "quay.io/a/b")
        self.assert_imported("1.0", "latest")

    def regctl(self, *arguments: str) -> None:
        """Run regctl with a configuration of its own."""
        run("regctl", *arguments, environment={"REGCTL_CONFIG": self.path("regctl.json")})

    def test_regctl(self) -> None:
        """Regctl writes referrers under a fallback tag, and archives with complete names."""
        self.need_programs("regctl")
        self.regctl("registry", "set", "--tls=disabled", self.source.partition("/")[0])
        copy = ("image", "copy", "--referrers", "--digest-tags", f"{self.source}:1.0")
        self.regctl(*copy, f"ocidir://{self.archive}:1.0")
        self.import_archive("--name", "quay.io/a/b")
        self.assert_imported("1.0", self.image.top.replace(":", "-"))
        self.archive = self.path("exported.tar")
        self.regctl("image", "export", f"{self.source}:1.0", self.archive)
        self.assertIn(f"{self.source}:1.0 is now {SAMPLE}:1.0, ", self.import_archive())


class CosignTests(ArchiveToolTestCase):
    """Tests with cosign, with a key and without any service of the Internet."""

    def setUp(self) -> None:
        """Push an image, and make keys."""
        super().setUp()
        self.need_programs("cosign", "docker-registry", "skopeo")
        upstream = self.start_registry()
        self.digest = self.push_image(upstream, "a/b:1")
        self.repository = f"{upstream.host}/a/b"
        self.cosign("generate-key-pair", "--output-key-prefix", self.path("key"))

    def cosign(self, *arguments: str) -> str:
        """Run cosign, and return what it prints."""
        home = {"HOME": self.directory, "COSIGN_PASSWORD": ""}
        return run("cosign", *arguments, environment={**_OFFLINE, **home})

    def sign(self, *options: str) -> None:
        """Sign the image."""
        sign = ("sign", "--yes", "--allow-http-registry", "--key", self.path("key.key"))
        self.cosign(*sign, *options, f"{self.repository}@{self.digest}")

    def assert_signed(self, name: str) -> None:
        """Check that cosign finds the signature of an image in the tree, and that it is good."""
        registry = self.start_daemon(self.root).registry
        verify = ("verify", "--allow-http-registry", "--insecure-ignore-tlog", "--key")
        (payload,) = json.loads(self.cosign(*verify, self.path("key.pub"), f"{registry}/{name}"))
        signed = payload["critical"]["image"]["docker-manifest-digest"]
        self.assertEqual(signed, self.digest)

    def test_save(self) -> None:
        """``cosign save`` has no names; a signature of cosign 2 is found under cosign's tag."""
        old = ("--new-bundle-format=false", "--use-signing-config=false")
        self.sign(*old, "--tlog-upload=false")
        save = ("save", "--allow-http-registry", "--dir", self.archive)
        self.cosign(*save, f"{self.repository}:1")
        said = self.import_archive("--name", "quay.io/c/d:1")
        tag = self.digest.replace(":", "-")
        self.assertIn(f"quay.io/c/d:1 is now c/d:1, {self.digest}", said)
        self.assertIn(f"quay.io/c/d:{tag}.sig is now c/d:{tag}.sig, ", said)
        self.assert_signed("c/d:1")

    def test_bundle(self) -> None:
        """A signature of cosign 3 is a referrer, which ``oras copy -r`` copies."""
        self.need_programs("oras")
        settings = self.path("signing-config.json")
        self.cosign("signing-config", "create", "--out", settings)
        self.sign("--signing-config", settings)
        source = ("--from-plain-http", f"{self.repository}:1")
        run("oras", "copy", "-r", *source, "--to-oci-layout", f"{self.archive}:1")
        self.import_archive("--name", "quay.io/c/d")
        self.assert_signed("c/d:1")
