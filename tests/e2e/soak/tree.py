"""The tree of the soak test: images, a release of K3s, large blobs, and invalid content."""

import os

import attrs

from minreg.oci.names import OCI_MANIFEST
from minreg.oci.platforms import Platform
from tests.preflight_support import IMAGES, VERSION, ReleaseTree
from tests.traps import add_traps
from tests.trees import descriptor, index

MIDDLE_SIZE = 200_000
"""Bytes of a blob that is sent by sendfile, and that a socket takes at once."""

LARGE_SIZE = 32 * 1024 * 1024
"""Bytes of a blob that no socket takes at once."""

RELEASE = VERSION
"""A release of K3s whose only image the tree holds."""

_IMAGE = IMAGES[-1]
PUBLISHED = "a"
"""The repository with all that a registry offers: an index, referrers, large blobs."""


@attrs.frozen
class Digests:
    """The digests of the content of the repository ``PUBLISHED``."""

    manifest: str
    index: str
    config: str
    middle: str
    large: str


def write_tree(root: str) -> Digests:
    """Write the tree, and a directory beside its root to which links lead."""
    tree = ReleaseTree(root)
    tree.add(f"rancher/{_IMAGE}")
    tree.write(f"docker.io/rancher/{_IMAGE}\n".encode("ascii"), "k3s", f"{RELEASE}.txt")
    add_traps(tree)
    middle = tree.add_blob(os.urandom(1000) * (MIDDLE_SIZE // 1000))
    large = tree.add_blob(os.urandom(1 << 20) * (LARGE_SIZE >> 20))
    image = tree.image(os.urandom(1000))
    manifest = tree.add_manifest(PUBLISHED, image, "2")
    platform = attrs.asdict(Platform("linux", "amd64"))
    size = os.path.getsize(tree.path(PUBLISHED, "manifests", str(manifest)))
    child = descriptor(OCI_MANIFEST, manifest, size, platform=platform)
    listed = tree.add_manifest(PUBLISHED, index([child]), "index")
    for kind in ("signature", "sbom"):
        tree.add_manifest(
            PUBLISHED,
            {**image, "subject": descriptor(OCI_MANIFEST, manifest, size), "artifactType": kind},
        )
    config: str = image["config"]["digest"]
    return Digests(str(manifest), str(listed), config, str(middle), str(large))
