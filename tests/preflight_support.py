"""A tree with a release's images, complete or with faults, for tests of preflights."""

import json
import os
from collections.abc import Sequence

import attrs

from minreg.oci.names import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Digest, ImageReference
from minreg.oci.platforms import Platform
from minreg.preflight.check import check_image
from minreg.preflight.query import RequiredImage
from tests.store_support import StoreTestCase
from tests.trees import TreeBuilder, descriptor, index

VERSION = "v1.33.4+k3s1"
PAUSE = "rancher/mirrored-pause:3.6"
AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
IMAGES = (
    "klipper-helm:v0.9.8",
    "klipper-lb:v0.4.13",
    "local-path-provisioner:v0.0.31",
    "mirrored-coredns-coredns:1.12.3",
    "mirrored-library-busybox:1.36.1",
    "mirrored-library-traefik:3.3.6",
    "mirrored-metrics-server:v0.8.0",
    "mirrored-pause:3.6",
)
"""What K3s needs."""


@attrs.frozen
class Child:
    """What an image for one platform is made of."""

    manifest: Digest
    config: Digest
    layer: Digest
    size: int


class ReleaseTree(TreeBuilder):
    """A tree that is filled as ``minreg download`` fills it, for amd64.

    Args:
        root: The root.
        below: What all repositories lie below, ``docker.io/`` for instance.
    """

    def __init__(self, root: str, below: str = "") -> None:
        super().__init__(root)
        self._below = below

    def add_release(self, version: str = VERSION) -> dict[str, Child]:
        """Add all images of a release, and its list; return the content of each."""
        lines = "".join(f"docker.io/rancher/{image}\n" for image in IMAGES)
        self.write(lines.encode(), "k3s", f"{version}.txt")
        return {image: self.add(f"rancher/{image}") for image in IMAGES}

    def add(
        self, image: str, of: str = "", platforms: Sequence[str] = ("amd64", "arm64")
    ) -> Child:
        """Add an image whose index names some platforms, and what it has for the first.

        Args:
            image: Its name and tag.
            of: The architecture that its config states, if that is another one.
            platforms: Architectures, with a variant behind a slash.
        """
        name, _, tag = image.rpartition(":")
        place = f"{self._below}{name}"
        kept = self._write_child(place, image, platforms[0], of)
        sizes = {platforms[0]: (kept.manifest, kept.size)}
        sizes |= {other: (Digest.of(f"{image} {other}".encode()), 400) for other in platforms[1:]}
        children = [
            descriptor(OCI_MANIFEST, digest, size, platform=shape(kind))
            for kind, (digest, size) in sizes.items()
        ]
        self.add_manifest(place, index(children), tag)
        return kept

    def add_bare(self, image: str, of: str = "amd64") -> Child:
        """Add an image without an index."""
        name, _, tag = image.rpartition(":")
        child = self._write_child(f"{self._below}{name}", image, of, of)
        self.add_tag(f"{self._below}{name}", tag, child.manifest)
        return child

    def blob(self, digest: Digest) -> str:
        """Name the file of a blob."""
        return self.path("blobs", str(digest))

    def truncate(self, digest: Digest, size: int = 3) -> None:
        """Cut a blob's file short."""
        os.truncate(self.blob(digest), size)

    def remove_manifest(self, image: str, digest: Digest) -> None:
        """Remove a manifest."""
        name = image.rpartition(":")[0]
        os.unlink(self.path(f"{self._below}{name}", "manifests", str(digest)))

    def remove_tag(self, image: str) -> None:
        """Remove a tag."""
        name, _, tag = image.rpartition(":")
        os.unlink(self.path(f"{self._below}{name}", "manifests", tag))

    def _write_child(self, place: str, image: str, kind: str, of: str) -> Child:
        config = json.dumps({**shape(of or kind), "image": image}).encode()
        layer = f"layer of {image} for {kind}".encode()
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(OCI_CONFIG, self.add_blob(config), len(config)),
            "layers": [descriptor(OCI_LAYER, self.add_blob(layer), len(layer))],
        }
        manifest = self.add_manifest(place, document)
        return Child(manifest, Digest.of(config), Digest.of(layer), len(json.dumps(document)))


def shape(kind: str) -> dict[str, str]:
    """Write a platform as documents do."""
    return Platform.parse(f"linux/{kind}").as_json()


def required(text: str, registry: str | None = None) -> RequiredImage:
    """Want an image, of the registry that it names or of another one."""
    image = ImageReference.parse(text)
    return RequiredImage(image, "a test", registry or image.host)


class CheckTestCase(StoreTestCase):
    """A tree, and a look at an image of it."""

    below = ""

    def setUp(self) -> None:
        """Make the tree."""
        super().setUp()
        os.rmdir(self.tree.path("blobs"))
        os.rmdir(self.root)
        self.release = ReleaseTree(self.root, self.below)

    def problems(
        self,
        image: str = PAUSE,
        platform: Platform | None = AMD64,
        registry: str | None = None,
    ) -> tuple[str, ...]:
        """Say what is wrong with an image."""
        return check_image(self.store, required(image, registry), platform).problems
