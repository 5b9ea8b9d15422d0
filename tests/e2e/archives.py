"""Archives of the sample image, for the tests of ``minreg import``."""

import gzip
import json
import sys

from tests.e2e.content import ARCHITECTURE, sample_image
from tests.e2e.images import Image
from tests.e2e.programs import run
from tests.image_archives import (
    CONTAINERD_NAME,
    make_docker_archive,
    make_layout,
    make_tar,
)
from tests.image_archives import Image as SmallImage

NAME = "docker.io/rancher/mirrored-pause:3.6"


def import_archive(root: str, *arguments: str) -> str:
    """Import archives into a tree, and return the output."""
    return run(sys.executable, "-m", "minreg", "import", "-d", root, *arguments)


def pack_layout(image: Image, path: str) -> None:
    """Pack an image as an OCI layout, as containerd does."""
    contents = [*image.manifests.values(), *image.blobs.values()]
    top = image.manifests[image.top]
    descriptor = {
        "mediaType": json.loads(top)["mediaType"],
        "digest": image.top,
        "size": len(top),
        "annotations": {CONTAINERD_NAME: NAME},
    }
    with open(path, "wb") as file:
        file.write(make_tar(make_layout(contents, [descriptor])))


def pack_legacy(path: str) -> None:
    """Pack the sample as Docker did until version 25, with one layer twice."""
    image = sample_image()
    manifest = image.document(image.child_for(ARCHITECTURE))
    (packed,) = (image.blobs[layer["digest"]] for layer in manifest["layers"])
    program = gzip.decompress(packed)
    shared = make_tar([("a", b"twice")])
    legacy = SmallImage(ARCHITECTURE, (shared, program, shared), ("/hello",))
    with open(path, "wb") as file:
        file.write(make_tar(make_docker_archive(legacy)))
