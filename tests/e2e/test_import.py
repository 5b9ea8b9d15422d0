"""What ``minreg import`` makes of archives that real tools wrote, as real clients pull it."""

import bz2
import gzip
import lzma
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from subprocess import DEVNULL, PIPE

import zstandard

from minreg.oci.names import Digest
from tests.e2e.archives import NAME, import_archive, pack_layout, pack_legacy
from tests.e2e.containerd import ALIAS
from tests.e2e.content import ARCHITECTURE, sample_image, skopeo_copy
from tests.e2e.images import read_directory, read_file
from tests.e2e.programs import run
from tests.e2e.pulls import ContainerdTestCase
from tests.e2e.support import EndToEndTestCase
from tests.e2e.trees import read_tree
from tests.image_archives import Image, make_image_layout, make_tar, unpack

REPOSITORY = "rancher/mirrored-pause"
IMAGE = f"{ALIAS}/{REPOSITORY}:3.6"


class ImportTests(ContainerdTestCase):
    """Tests for archives of every kind: containerd runs what came out of them."""

    def setUp(self) -> None:
        """Pack the sample image as an OCI layout."""
        super().setUp()
        self.directory = self.make_directory()
        self.archive = os.path.join(self.directory, "archive.tar")
        self.layout = os.path.join(self.directory, "layout.tar")
        pack_layout(sample_image(), self.layout)

    def assert_imported(self, *arguments: str) -> None:
        """Import the archive, and run a container out of the tree."""
        import_archive(self.root, *arguments)
        self.serve(ALIAS)
        self.assert_runs(IMAGE)

    def test_containerd_export(self) -> None:
        """A K3s tarball of today: the index keeps its digest, and most platforms lack."""
        self.containerd.import_archive(self.layout)
        self.containerd.export_archive(self.archive, f"linux/{ARCHITECTURE}", NAME)
        self.assert_imported(self.archive)
        tagged = read_file(os.path.join(self.root, REPOSITORY, "manifests", "3.6"))
        self.assertEqual(str(Digest.of(tagged)), sample_image().top)

    def test_oci_archive(self) -> None:
        """What skopeo packs keeps its digests through a tree and back."""
        unpack(read_file(self.layout), f"{self.directory}/unpacked")
        skopeo_copy(f"oci:{self.directory}/unpacked", f"oci-archive:{self.archive}:{NAME}")
        self.assert_imported(self.archive)
        self.assertEqual(read_tree(self.root, REPOSITORY, "3.6"), sample_image())
        copied = f"{self.directory}/copied"
        source = f"docker://{self.daemon.registry}/{REPOSITORY}:3.6"
        skopeo_copy("--preserve-digests", source, f"dir:{copied}")
        self.assertEqual(read_directory(copied), sample_image())

    def test_oci_directory(self) -> None:
        """So does a layout that was never packed."""
        unpack(read_file(self.layout), self.archive)
        self.assert_imported(self.archive)
        self.assertEqual(read_tree(self.root, REPOSITORY, "3.6"), sample_image())

    def test_docker_archive(self) -> None:
        """What skopeo writes for ``docker load`` gets the manifest that containerd makes."""
        unpack(read_file(self.layout), f"{self.directory}/unpacked")
        source = f"oci:{self.directory}/unpacked"
        run("skopeo", "--insecure-policy", "copy", source, f"docker-archive:{self.archive}:{NAME}")
        self.assert_imported(self.archive)
        self.containerd.import_archive(self.archive)
        top = read_tree(self.root, REPOSITORY, "3.6").top
        self.assertEqual(self.containerd.digest(NAME), top)

    def test_legacy_docker_archive(self) -> None:
        """So does what Docker wrote of old, with layers that are links."""
        pack_legacy(self.archive)
        self.assert_imported(self.archive)
        self.containerd.import_archive(self.archive)
        top = read_tree(self.root, REPOSITORY, "3.6").top
        self.assertEqual(self.containerd.digest(NAME), top)


class StreamTests(EndToEndTestCase):
    """Tests for archives that come through a pipe, and for machines without a network."""

    def setUp(self) -> None:
        """Pack the sample image."""
        self.need_programs("skopeo")
        directory = self.make_directory()
        self.root = os.path.join(directory, "registry")
        self.layout = os.path.join(directory, "layout.tar")
        pack_layout(sample_image(), self.layout)

    def test_pipe(self) -> None:
        """Whatever compresses, its output can be piped in."""
        compressors: dict[str, Callable[[bytes], bytes]] = {
            "gzip": gzip.compress,
            "bzip2": bz2.compress,
            "xz": lzma.compress,
            "zstd": zstandard.compress,
        }
        for name, compress in compressors.items():
            root = f"{self.root}-{name}"
            with open(self.layout, "rb") as file:
                archive = compress(file.read())
            command = [sys.executable, "-m", "minreg", "import", "-", "-d", root]
            subprocess.run(command, input=archive, check=True, stdout=subprocess.DEVNULL)
            self.assertEqual(read_tree(root, REPOSITORY, "3.6"), sample_image())

    def test_interrupted(self) -> None:
        """Ctrl-C leaves nothing half done, and says how to go on."""
        with open(self.layout, "rb") as file:
            beginning = file.read(5000)
        command = [sys.executable, "-m", "minreg", "import", "-", "-d", self.root]
        with subprocess.Popen(command, stdin=PIPE, stderr=PIPE, stdout=DEVNULL) as process:
            assert process.stdin is not None and process.stderr is not None
            process.stdin.write(beginning)
            process.stdin.flush()
            new = os.path.join(self.root, ".minreg", "new")
            self.wait_until(lambda: os.path.isdir(new) and bool(os.listdir(new)))
            process.send_signal(signal.SIGINT)
            said = process.stderr.read().decode()
            self.assertEqual(process.wait(), 1)
        self.assertEqual(
            said,
            "Error: stopped: the images listed above are complete: "
            "run the same command again for the others\n",
        )
        self.assertFalse(os.path.lexists(self.root))

    def test_terminal(self) -> None:
        """On a terminal a bar shows how far the archive was read, and goes at the end."""
        self.need_programs("script")
        command = f"TERM=xterm {sys.executable} -m minreg import -d {self.root} {self.layout}"
        said = run("script", "--quiet", "--return", "--command", command, "/dev/null")
        self.assertIn(f"{os.path.basename(self.layout)} ", said)
        self.assertIn("\x1b[2K", said)
        self.assertIn(f"{NAME} is now {REPOSITORY}:3.6, ", said)

    def test_long_window(self) -> None:
        """Zstd may look back over 128 MiB, as with --long=27."""
        self.need_programs("zstd")
        packed = f"{self.layout}.zst"
        run("zstd", "--quiet", "--long=27", "-19", "-o", packed, self.layout)
        import_archive(self.root, packed)
        self.assertEqual(read_tree(self.root, REPOSITORY, "3.6"), sample_image())

    def test_no_network(self) -> None:
        """Where there is no network at all, not even a loopback that is up, it works."""
        self.need_to_mount()
        self.need_programs("unshare")
        command = [sys.executable, "-m", "minreg", "import", "-d", self.root, self.layout]
        said = run("unshare", "--net", "--", *command)
        self.assertIn(f"{NAME} is now {REPOSITORY}:3.6, {sample_image().top}", said)
        self.assertEqual(read_tree(self.root, REPOSITORY, "3.6"), sample_image())

    def test_small_disk(self) -> None:
        """What does not fit on the disk is refused before the disk is full."""
        self.need_to_mount()
        layer = make_tar([("large", os.urandom(10_000_000))])
        with open(self.layout, "wb") as file:
            file.write(make_tar(make_image_layout(Image(layers=(layer,)))))
        os.mkdir(self.root)
        script = (
            'mount -t tmpfs -o size=12m none "$1" || exit 3; '
            '"$2" -m minreg import -d "$1" "$3" 2>&1; echo "status $?"; find "$1" -type f'
        )
        shell = ["sh", "-c", script, "sh", self.root, sys.executable, self.layout]
        said = run("unshare", "--mount", *shell).splitlines()
        self.assertIn("bytes, but only", said[0])
        self.assertIn(f"are free in {self.root}; free disk space, or import into another", said[0])
        self.assertEqual(said[1:], ["status 1", os.path.join(self.root, ".minreg", "lock")])
