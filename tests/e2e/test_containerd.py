"""containerd, as K3s sets it up, pulls from the daemon and runs what it pulled."""

from tests.e2e.containerd import ALIAS
from tests.e2e.content import (
    ARCHITECTURE,
    SAMPLE,
    docker_image,
    sample_image,
    write_sample,
)
from tests.e2e.daemon import LoggedRequest
from tests.e2e.images import Image, only_platform, sparse, without_media_types
from tests.e2e.pulls import ContainerdTestCase
from tests.e2e.trees import (
    BlobsElsewhereTree,
    FieldTree,
    HardLinkedTree,
    ManifestsAmongBlobsTree,
    OwnBlobsTree,
    PlainTagsTree,
    read_tree,
)

REPOSITORY = "rancher/mirrored-sample"


class SampleTests(ContainerdTestCase):
    """Tests for the tree that ``minreg sample`` writes."""

    def setUp(self) -> None:
        """Serve the sample."""
        super().setUp()
        write_sample(self.root)
        self.serve(ALIAS)

    def test_pull_by_tag(self) -> None:
        """The sample is pulled by its tag, with no request too many, and says hello."""
        self.assert_runs(f"{ALIAS}/{SAMPLE}:1.0")
        self.assert_requests(SAMPLE, "1.0", read_tree(self.root, SAMPLE, "1.0"), ALIAS)

    def test_pull_by_digest(self) -> None:
        """A pod that names the digest of the index gets just that."""
        image = read_tree(self.root, SAMPLE, "1.0")
        self.assert_runs(f"{ALIAS}/{SAMPLE}@{image.top}")
        self.assert_requests(SAMPLE, image.top, image, ALIAS)

    def test_pull_again(self) -> None:
        """Under a second tag nothing is fetched twice: its digest is asked for, and known."""
        self.assert_runs(f"{ALIAS}/{SAMPLE}:1.0")
        self.assert_runs(f"{ALIAS}/{SAMPLE}:latest")
        self.daemon.stop()
        self.assertEqual(
            self.daemon.requests()[-1],
            LoggedRequest("HEAD", f"/v2/{SAMPLE}/manifests/latest", ALIAS, 200),
        )


class ImageTests(ContainerdTestCase):
    """Tests for the kinds of images that a tree may hold."""

    def assert_image_runs(self, image: Image) -> None:
        """Put an image into a tree, pull it, run it, and check what was asked for."""
        FieldTree(self.root).add(REPOSITORY, "1.0", image)
        self.serve(ALIAS)
        self.assert_runs(f"{ALIAS}/{REPOSITORY}:1.0")
        self.assert_requests(REPOSITORY, "1.0", image, ALIAS)

    def test_index(self) -> None:
        """An OCI index for several platforms."""
        self.assert_image_runs(sample_image())

    def test_one_platform(self) -> None:
        """An OCI manifest, as the script of minimal-registry pulls it by default."""
        self.assert_image_runs(only_platform(sample_image(), ARCHITECTURE))

    def test_manifest_without_media_type(self) -> None:
        """An OCI manifest that does not say what it is, as OCI allows."""
        image = only_platform(sample_image(), ARCHITECTURE)
        self.assert_image_runs(without_media_types(image))

    def test_index_without_media_type(self) -> None:
        """An OCI index and manifests that do not say what they are."""
        self.assert_image_runs(without_media_types(sample_image()))

    def test_docker_manifest_list(self) -> None:
        """A manifest list of Docker, with the images that it lists."""
        self.assert_image_runs(docker_image())

    def test_docker_manifest(self) -> None:
        """A manifest of Docker's schema 2."""
        self.assert_image_runs(only_platform(docker_image(), ARCHITECTURE))

    def test_sparse_index(self) -> None:
        """An index of whose platforms only that of the node was carried over."""
        self.assert_image_runs(sparse(sample_image(), ARCHITECTURE))


class TreeTests(ContainerdTestCase):
    """Tests for the shapes that trees have in the field."""

    def assert_tree_runs(self, tree: FieldTree) -> None:
        """Put the sample image into a tree, pull it and run it."""
        self.assert_image_runs(tree, sample_image())

    def assert_image_runs(self, tree: FieldTree, image: Image) -> None:
        """Put an image into a tree, pull it and run it."""
        tree.add(REPOSITORY, "1.0", image)
        self.serve(ALIAS)
        self.assert_runs(f"{ALIAS}/{REPOSITORY}:1.0")
        self.assert_requests(REPOSITORY, "1.0", image, ALIAS)

    def test_tags_as_plain_files(self) -> None:
        """A tree whose tags are copies of the manifests, not links."""
        self.assert_tree_runs(PlainTagsTree(self.root))

    def test_blobs_of_its_own(self) -> None:
        """A tree where each repository has a real directory of blobs."""
        self.assert_tree_runs(OwnBlobsTree(self.root))

    def test_hard_links(self) -> None:
        """A tree where repositories share blobs by hard links."""
        self.assert_tree_runs(HardLinkedTree(self.root))

    def test_blobs_elsewhere(self) -> None:
        """A tree whose blobs lie in a directory of another name."""
        self.assert_tree_runs(BlobsElsewhereTree(self.root))

    def test_manifests_among_blobs(self) -> None:
        """A tree whose script took a manifest without ``mediaType`` for a blob."""
        image = without_media_types(only_platform(sample_image(), ARCHITECTURE))
        self.assert_image_runs(ManifestsAmongBlobsTree(self.root), image)

    def test_index_among_blobs(self) -> None:
        """A tree whose script took an index and its manifests for blobs."""
        image = without_media_types(sample_image())
        self.assert_image_runs(ManifestsAmongBlobsTree(self.root), image)


class NamespaceTests(ContainerdTestCase):
    """Tests for trees that hold images of several registries."""

    def assert_found(self, repository: str, host: str, name: str) -> None:
        """Put the sample image under ``repository``, and pull ``name`` from ``host``."""
        FieldTree(self.root).add(repository, "1.0", sample_image())
        self.serve(host)
        self.assert_runs(f"{host}/{name}:1.0")
        self.assert_requests(name, "1.0", sample_image(), host)

    def test_host_name_kept(self) -> None:
        """A tree made with ``--no-trim`` serves the registry whose name it kept."""
        self.assert_found(f"ghcr.io/{REPOSITORY}", "ghcr.io", REPOSITORY)

    def test_alias_of_docker_hub(self) -> None:
        """What a tree keeps under ``docker.io`` is there for K3s' system images too."""
        self.assert_found(f"docker.io/{REPOSITORY}", ALIAS, REPOSITORY)

    def test_trimmed_tree_for_another_registry(self) -> None:
        """A tree without host names stands in for any registry that is mirrored to it."""
        self.assert_found(REPOSITORY, "registry.example", REPOSITORY)

    def test_official_images(self) -> None:
        """An image of one component, which Docker Hub keeps under ``library``."""
        self.assert_found("docker.io/library/sample", "docker.io", "library/sample")
