"""Images as values: read from what skopeo writes, changed, and laid out in trees."""

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any

import attrs
from zstandard import ZstdCompressor

from minreg.oci.names import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST

Document = dict[str, Any]


@attrs.frozen
class Image:
    """An image for one platform or an index for several, with all that belongs to it.

    ``manifests`` holds the documents and ``blobs`` the rest, by digest; ``top`` is the digest
    of the document that a tag names.
    """

    top: str
    manifests: Mapping[str, bytes]
    blobs: Mapping[str, bytes]

    def document(self, digest: str) -> Document:
        """Parse one of its documents."""
        document: Document = json.loads(self.manifests[digest])
        return document

    def children(self) -> list[Document]:
        """List the descriptors in its index; an image for one platform has none."""
        children: list[Document] = self.document(self.top).get("manifests", [])
        return children

    def child_for(self, architecture: str) -> str:
        """Find the manifest of its index for one architecture."""
        (digest,) = (
            child["digest"]
            for child in self.children()
            if child["platform"]["architecture"] == architecture
        )
        return str(digest)


def digest_of(content: bytes) -> str:
    """Name content by what it is."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def blobs_of(document: Document) -> list[str]:
    """List the digests of the blobs that a manifest needs, its config first."""
    if "manifests" in document:
        return []
    return [document["config"]["digest"], *(layer["digest"] for layer in document["layers"])]


def read_file(path: str) -> bytes:
    """Read a whole file."""
    with open(path, "rb") as file:
        return file.read()


def collect(top: bytes, read: Callable[[str], bytes]) -> Image:
    """Put an image together from its top document, and what reads the rest by digest."""
    manifests = {digest_of(top): top}
    for child in json.loads(top).get("manifests", []):
        manifests[child["digest"]] = read(child["digest"])
    needed = chain.from_iterable(blobs_of(json.loads(content)) for content in manifests.values())
    return Image(digest_of(top), manifests, {digest: read(digest) for digest in needed})


def read_layout(directory: str) -> Image:
    """Read the one image of an OCI layout, as ``skopeo copy --all … oci:`` writes it."""
    with open(os.path.join(directory, "index.json"), "rb") as file:
        (entry,) = json.load(file)["manifests"]

    def read(digest: str) -> bytes:
        return read_file(os.path.join(directory, "blobs", *digest.split(":")))

    return collect(read(entry["digest"]), read)


def read_directory(directory: str) -> Image:
    """Read the image of a directory that ``skopeo copy … dir:`` has written."""

    def read(digest: str) -> bytes:
        path = os.path.join(directory, digest.removeprefix("sha256:"))
        return read_file(path if os.path.exists(path) else f"{path}.manifest.json")

    return collect(read_file(os.path.join(directory, "manifest.json")), read)


def only_platform(image: Image, architecture: str) -> Image:
    """Take the image for one platform out of an index, as ``crane pull --platform`` does."""
    digest = image.child_for(architecture)
    return _reduce(image, digest, [digest])


def sparse(image: Image, architecture: str) -> Image:
    """Keep an index as it is, and of its images only that for one platform."""
    return _reduce(image, image.top, [image.top, image.child_for(architecture)])


def without_media_types(image: Image) -> Image:
    """Leave out the ``mediaType`` of every document, which OCI allows."""

    def strip(document: Document) -> Document:
        return {key: value for key, value in document.items() if key != "mediaType"}

    return rewrite(image, strip)


def program_image(program: bytes, architecture: str) -> Image:
    """Make an image for one platform whose only file is a program, which it runs."""
    layer = _layer(program, mode=0o755)
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Entrypoint": ["/content"]},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]},
    }
    return _assemble(config, [(OCI_LAYER, layer)])


def compressed(image: Image, algorithm: str) -> Image:
    """Compress the layers of an image for one platform.

    Args:
        image: The image, with layers that are not compressed.
        algorithm: ``gzip`` or ``zstd``.
    """
    compress = {"gzip": gzip.compress, "zstd": ZstdCompressor().compress}[algorithm]
    manifest = image.document(image.top)
    config = json.loads(image.blobs[manifest["config"]["digest"]])
    layers = [image.blobs[descriptor["digest"]] for descriptor in manifest["layers"]]
    return _assemble(config, [(f"{OCI_LAYER}+{algorithm}", compress(layer)) for layer in layers])


def make_index(images: Mapping[str, Image]) -> Image:
    """Make an OCI index of images for one platform each, by architecture."""
    descriptors = [
        {
            "mediaType": OCI_MANIFEST,
            "digest": image.top,
            "size": len(image.manifests[image.top]),
            "platform": {"architecture": architecture, "os": "linux"},
        }
        for architecture, image in images.items()
    ]
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": descriptors}
    top = json.dumps(index).encode()
    manifests = {digest_of(top): top}
    blobs: dict[str, bytes] = {}
    for image in images.values():
        manifests |= image.manifests
        blobs |= image.blobs
    return Image(digest_of(top), manifests, blobs)


def with_layer(image: Image, content: bytes) -> Image:
    """Add a layer with one file to an image for one platform."""
    layer = _layer(content)
    manifest = image.document(image.top)
    config = json.loads(image.blobs[manifest["config"]["digest"]])
    config["rootfs"]["diff_ids"].append(digest_of(layer))
    changed = json.dumps(config).encode()
    manifest["config"] |= {"digest": digest_of(changed), "size": len(changed)}
    manifest["layers"].append(
        {"mediaType": OCI_LAYER, "digest": digest_of(layer), "size": len(layer)}
    )
    top = json.dumps(manifest).encode()
    blobs = {**image.blobs, digest_of(layer): layer, digest_of(changed): changed}
    return Image(digest_of(top), {digest_of(top): top}, blobs)


def rewrite(image: Image, change: Callable[[Document], Document]) -> Image:
    """Change every document of an image; an index then names its changed children."""
    manifests: dict[str, bytes] = {}

    def store(document: Document) -> tuple[str, int]:
        content = json.dumps(change(document)).encode()
        manifests[digest_of(content)] = content
        return digest_of(content), len(content)

    children = []
    for child in image.children():
        digest, size = store(image.document(child["digest"]))
        children.append({**child, "digest": digest, "size": size})
    top = image.document(image.top)
    digest, _ = store({**top, "manifests": children} if children else top)
    return Image(digest, manifests, image.blobs)


def _assemble(config: Document, layers: Iterable[tuple[str, bytes]]) -> Image:
    """Make an image for one platform of layers with their media types."""
    blobs: dict[str, bytes] = {}

    def store(media_type: str, content: bytes) -> Document:
        blobs[digest_of(content)] = content
        return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": store(OCI_CONFIG, json.dumps(config).encode()),
        "layers": [store(*layer) for layer in layers],
    }
    top = json.dumps(manifest).encode()
    return Image(digest_of(top), {digest_of(top): top}, blobs)


def _layer(content: bytes, mode: int = 0o644) -> bytes:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        member = tarfile.TarInfo("content")
        member.mode = mode
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return layer.getvalue()


def _reduce(image: Image, top: str, digests: Iterable[str]) -> Image:
    manifests = {digest: image.manifests[digest] for digest in digests}
    kept = chain.from_iterable(blobs_of(json.loads(content)) for content in manifests.values())
    return Image(top, manifests, {digest: image.blobs[digest] for digest in kept})
