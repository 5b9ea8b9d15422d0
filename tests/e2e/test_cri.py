"""containerd 2, as K3s configures it, pulls from the daemon and runs pods."""

import hashlib
import json
import os
import random
import tarfile
import uuid
from collections.abc import Mapping
from typing import Any

from minreg.oci.names import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from tests.e2e.containerd import ALIAS
from tests.e2e.containerd2 import Containerd2
from tests.e2e.content import (
    ARCHITECTURE,
    GREETING,
    SAMPLE,
    docker_image,
    sample_image,
    write_sample,
)
from tests.e2e.images import (
    Image,
    compressed,
    digest_of,
    only_platform,
    program_image,
    sparse,
    without_media_types,
)
from tests.e2e.programs import ProgramFailed, do_without, installed, run
from tests.e2e.pulls import ContainerdTestCase
from tests.e2e.trees import FieldTree, read_tree
from tests.elf import make_pause_program, make_program

REPOSITORY = "rancher/mirrored-sample"
NAME = f"{ALIAS}/{REPOSITORY}"
PAUSE = f"{ALIAS}/rancher/mirrored-pause:3.6"


class CriTestCase(ContainerdTestCase):
    """A test with containerd 2, for which minreg writes the hosts of registries."""

    def start_containerd(self, directory: str) -> Containerd2:
        """Start containerd 2."""
        self.containerd2 = Containerd2(directory, PAUSE)
        return self.containerd2

    def serve_tree(self) -> None:
        """Start the daemon, and have ``minreg registries`` write the hosts for its tree."""
        self.daemon = self.start_daemon(self.root)
        hosts = ("--hosts-toml", self.containerd.hosts_directory)
        endpoint = ("--endpoint", f"http://{self.daemon.registry}")
        run(installed("minreg"), "registries", "-d", self.root, *hosts, *endpoint)


class PullTests(CriTestCase):
    """Tests for ``crictl pull`` of all shapes of images that the tests have."""

    def assert_pulls(self, image: Image, reference: str = ":1.0") -> None:
        """Put an image into a tree, pull it, run it, and check what was requested."""
        FieldTree(self.root).add(REPOSITORY, "1.0", image)
        self.serve_tree()
        self.containerd.pull(NAME + reference)
        self.assertEqual(self.containerd2.image_digests(NAME + reference), [image.top])
        digest = reference.partition("@")[2]
        stored = f"{NAME}@{digest}" if digest else NAME + reference
        self.assertEqual(self.containerd.run(stored), GREETING)
        self.assert_requests(REPOSITORY, digest or reference.removeprefix(":"), image, ALIAS)

    def test_sample(self) -> None:
        """The sample is pulled by each of its tags."""
        write_sample(self.root)
        self.serve_tree()
        self.assert_runs(f"{ALIAS}/{SAMPLE}:1.0")
        self.assert_runs(f"{ALIAS}/{SAMPLE}:latest")
        top = read_tree(self.root, SAMPLE, "1.0").top
        self.assertEqual(self.containerd2.image_digests(f"{ALIAS}/{SAMPLE}:latest"), [top])

    def test_index(self) -> None:
        """An OCI index for several platforms."""
        self.assert_pulls(sample_image())

    def test_digest(self) -> None:
        """An index by its digest."""
        self.assert_pulls(sample_image(), f"@{sample_image().top}")

    def test_tag_and_digest(self) -> None:
        """An index by its tag and digest, of which only the digest counts."""
        self.assert_pulls(sample_image(), f":other@{sample_image().top}")

    def test_one_platform(self) -> None:
        """An OCI manifest."""
        self.assert_pulls(only_platform(sample_image(), ARCHITECTURE))

    def test_without_media_types(self) -> None:
        """An OCI index and manifests without ``mediaType``."""
        self.assert_pulls(without_media_types(sample_image()))

    def test_docker_manifest_list(self) -> None:
        """A manifest list of Docker."""
        self.assert_pulls(docker_image())

    def test_docker_manifest(self) -> None:
        """A manifest of Docker's schema 2."""
        self.assert_pulls(only_platform(docker_image(), ARCHITECTURE))

    def test_sparse_index(self) -> None:
        """An index of whose platforms only that of the node is in the tree."""
        self.assert_pulls(sparse(sample_image(), ARCHITECTURE))

    def test_zstd(self) -> None:
        """An image with layers that are compressed with zstd."""
        program = make_program(ARCHITECTURE, GREETING.strip())
        self.assert_pulls(compressed(program_image(program, ARCHITECTURE), "zstd"))

    def test_unknown_tag(self) -> None:
        """For a tag that does not exist, the error is the registry's."""
        FieldTree(self.root).add(REPOSITORY, "1.0", sample_image())
        self.serve_tree()
        error = self.assertRaises(ProgramFailed, self.containerd.pull, f"{NAME}:2.0")
        self.assertIn("not found", str(error))


class CtrTests(CriTestCase):
    """Tests for ``ctr images pull`` of containerd 2."""

    def test_index(self) -> None:
        """An index with all of its platforms is pulled, and runs."""
        FieldTree(self.root).add(REPOSITORY, "1.0", sample_image())
        self.serve_tree()
        self.containerd2.pull_with_ctr(f"{NAME}:1.0")
        self.assertEqual(self.containerd.run(f"{NAME}:1.0"), GREETING)

    def test_sparse_index(self) -> None:
        """Without the manifests of other platforms, a pull needs ``--skip-metadata``."""
        FieldTree(self.root).add(REPOSITORY, "1.0", sparse(sample_image(), ARCHITECTURE))
        self.serve_tree()
        self.assertRaises(ProgramFailed, self.containerd2.pull_with_ctr, f"{NAME}:1.0")
        self.containerd2.pull_with_ctr(f"{NAME}:1.0", "--skip-metadata")
        self.assertEqual(self.containerd.run(f"{NAME}:1.0"), GREETING)


class PodTests(CriTestCase):
    """Tests for pods."""

    def test_pod(self) -> None:
        """A sandbox of the pause image starts, and a container in it prints its line."""
        tree = FieldTree(self.root)
        pause = program_image(make_pause_program(ARCHITECTURE), ARCHITECTURE)
        tree.add("rancher/mirrored-pause", "3.6", pause)
        tree.add(REPOSITORY, "1.0", sample_image())
        self.serve_tree()
        self.containerd.pull(f"{NAME}:1.0")
        logs = self.make_directory()
        pod = self.write_json(
            {
                "metadata": {"name": "hello", "namespace": "default", "uid": uuid.uuid4().hex},
                "log_directory": logs,
                # The network of the node, which needs no CNI.
                "linux": {"security_context": {"namespace_options": {"network": 2}}},
            }
        )
        container = self.write_json(
            {
                "metadata": {"name": "hello"},
                "image": {"image": f"{NAME}:1.0"},
                "log_path": "hello.log",
            }
        )
        sandbox = self.run_sandbox(pod)
        self.addCleanup(self.containerd2.crictl, "rmp", "--force", sandbox)
        created = self.containerd2.crictl("create", sandbox, container, pod).strip()
        self.containerd2.crictl("start", created)
        self.wait_until(lambda: GREETING.strip() in _read(os.path.join(logs, "hello.log")))
        self.assertIn(sandbox, self.containerd2.crictl("pods", "--quiet", "--state", "ready"))

    def run_sandbox(self, pod: str) -> str:
        """Run a sandbox, and return its ID; skip the test where the kernel does not allow it."""
        try:
            return self.containerd2.crictl("runp", pod).strip()
        except ProgramFailed as error:
            if "cgroup" in str(error) or "operation not permitted" in str(error):
                do_without(f"needs control groups that runc can write: {error}")
            raise

    def write_json(self, document: Mapping[str, Any]) -> str:
        """Write a file for ``crictl``, and return its path."""
        path = os.path.join(self.make_directory(), "document.json")
        with open(path, "w", encoding="ascii") as file:
            json.dump(document, file)
        return path


class ParallelFetchTests(CriTestCase):
    """Tests for layers that containerd downloads in several parts at once."""

    size = 300 << 20

    def start_containerd(self, directory: str) -> Containerd2:
        """Start containerd 2 with parts of 16 MiB."""
        parts = f"concurrent_layer_fetch_buffer = {16 << 20}\n  max_concurrent_downloads = 4"
        self.containerd2 = Containerd2(directory, PAUSE, parts)
        return self.containerd2

    def test_large_layer(self) -> None:
        """A layer of 300 MiB arrives whole in parts, whose connections are closed early."""
        tree = FieldTree(self.root)
        layer = self.write_layer()
        tree.add(REPOSITORY, "1.0", self.make_image(layer))
        self.serve_tree()
        self.containerd.pull(f"{NAME}:1.0")
        with open(self.containerd2.content_path(layer), "rb") as file:
            self.assertEqual(f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}", layer)
        self.daemon.stop()
        path = f"/v2/{REPOSITORY}/blobs/{layer}"
        statuses = [made.status for made in self.daemon.requests() if made.path == path]
        self.assertGreater(len(statuses), 4)
        self.assertEqual(set(statuses), {206})

    def write_layer(self) -> str:
        """Write a layer into the tree whose parts all differ, and return its digest."""
        path = os.path.join(self.root, "blobs", "layer")
        block = random.Random(1).randbytes(1 << 20)  # noqa: S311 - no secret
        with open(path, "wb") as file:
            member = tarfile.TarInfo("content")
            member.size = self.size
            file.write(member.tobuf())
            numbers = range(self.size // len(block))
            file.writelines(number.to_bytes(8) + block[8:] for number in numbers)
            file.write(bytes(2 * tarfile.BLOCKSIZE))
        with open(path, "rb") as file:
            digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        os.rename(path, os.path.join(self.root, "blobs", digest))
        return digest

    def make_image(self, layer: str) -> Image:
        """Make an image of a layer that is in the tree."""
        size = os.path.getsize(os.path.join(self.root, "blobs", layer))
        platform = {"architecture": ARCHITECTURE, "os": "linux"}
        rootfs = {"type": "layers", "diff_ids": [layer]}
        config = json.dumps({**platform, "config": {}, "rootfs": rootfs}).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {
                "mediaType": OCI_CONFIG,
                "digest": digest_of(config),
                "size": len(config),
            },
            "layers": [{"mediaType": OCI_LAYER, "digest": layer, "size": size}],
        }
        top = json.dumps(manifest).encode()
        return Image(digest_of(top), {digest_of(top): top}, {digest_of(config): config})


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""
