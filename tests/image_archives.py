"""Images and archives for tests: small, whole, and the same in every run."""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from minreg.oci.names import (
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Digest,
)

NAME = "docker.io/rancher/mirrored-pause:3.6"
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
CONTAINERD_NAME = "io.containerd.image.name"
REFERENCE_NAME = "org.opencontainers.image.ref.name"

FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

Members = Sequence[tuple[str, bytes] | tarfile.TarInfo]


def make_tar(members: Members, form: int = tarfile.GNU_FORMAT) -> bytes:
    """Pack files, and members that are no files, in the order given."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form, encoding="utf-8") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            path, content = member
            header = tarfile.TarInfo(path)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    return packed.getvalue()


def unpack(archive: bytes, directory: str) -> None:
    """Unpack an archive of ours; Python 3.11.2, which Debian has, knows no filters yet."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(directory)  # noqa: S202 - ours


def make_link(path: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """Make a link, symbolic unless ``kind`` says hard."""
    link = tarfile.TarInfo(path)
    link.type, link.linkname = kind, target
    return link


def to_json(document: Any) -> bytes:
    """Write a document."""
    return json.dumps(document).encode()


def describe(media_type: str, content: bytes, **more: Any) -> dict[str, Any]:
    """Describe content, as manifests and indexes do."""
    digest = str(Digest.of(content))
    return {"mediaType": media_type, "digest": digest, "size": len(content), **more}


def blob(content: bytes) -> tuple[str, bytes]:
    """Give content the path that it has in an OCI layout."""
    return f"blobs/sha256/{Digest.of(content).encoded}", content


@attrs.frozen
class Image:
    """An image for one platform: a config, and layers that are not compressed.

    An image for Windows has a first layer that must not be distributed.
    """

    architecture: str = "amd64"
    layers: tuple[bytes, ...] = (make_tar([("pause", b"sleep")]), make_tar([("etc/a", b"b")]))
    entrypoint: tuple[str, ...] = ("/pause",)
    os: str = "linux"

    @property
    def config(self) -> bytes:
        """The config."""
        diff_ids = [str(Digest.of(layer)) for layer in self.layers]
        root = {"type": "layers", "diff_ids": diff_ids}
        return to_json(
            {
                "architecture": self.architecture,
                "os": self.os,
                "config": {"Entrypoint": self.entrypoint},
                "rootfs": root,
            }
        )

    @property
    def manifest(self) -> bytes:
        """The manifest that a registry has for it."""
        layers = [describe(OCI_LAYER, layer) for layer in self.layers]
        if self.os == "windows":
            layers[0] |= {"mediaType": FOREIGN_LAYER, "urls": ["https://mcr.microsoft.com/v2/"]}
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": describe(OCI_CONFIG, self.config),
            "layers": layers,
        }
        return to_json(document)

    @property
    def blobs(self) -> tuple[bytes, ...]:
        """The config and the layers."""
        return (self.config, *self.layers)

    @property
    def descriptor(self) -> dict[str, Any]:
        """What an index says of it."""
        platform = {"os": self.os, "architecture": self.architecture}
        return describe(OCI_MANIFEST, self.manifest, platform=platform)


def make_index(descriptors: Sequence[Mapping[str, Any]]) -> bytes:
    """Make an index."""
    return to_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(descriptors)})


def make_layout(
    contents: Sequence[bytes], descriptors: Sequence[Mapping[str, Any]]
) -> list[tuple[str, bytes]]:
    """List the members of an OCI layout as containerd writes them: the blobs come first."""
    return [
        *sorted(blob(content) for content in contents),
        ("index.json", make_index(descriptors)),
        ("oci-layout", LAYOUT),
    ]


def make_image_layout(
    image: Image, annotations: Mapping[str, str] | None = None
) -> list[tuple[str, bytes]]:
    """List the members of a layout with one image for one platform."""
    if annotations is None:
        annotations = {CONTAINERD_NAME: NAME, REFERENCE_NAME: "3.6"}
    described = describe(OCI_MANIFEST, image.manifest, annotations=annotations)
    return make_layout([*image.blobs, image.manifest], [described])


def make_k3s_layout(present: Sequence[Image], absent: Sequence[Image]) -> list[tuple[str, bytes]]:
    """List the members of a K3s tarball of today: an index, most of whose images lack."""
    index = make_index([image.descriptor for image in (*present, *absent)])
    contents = {content for image in present for content in (*image.blobs, image.manifest)}
    described = describe(OCI_INDEX, index, annotations={CONTAINERD_NAME: NAME})
    entries = [
        {
            "Config": blob(image.config)[0],
            "RepoTags": ["rancher/mirrored-pause:3.6"],
            "Layers": [blob(layer)[0] for layer in image.layers],
        }
        for image in present
    ]
    members = make_layout([*contents, index], [described])
    return sorted([*members, ("manifest.json", to_json(entries))])


def make_docker_archive(image: Image) -> list[tuple[str, bytes] | tarfile.TarInfo]:
    """List the members of what Docker wrote until version 25, a layer being shared."""
    config = f"{Digest.of(image.config).encoded}.json"
    members: list[tuple[str, bytes] | tarfile.TarInfo] = []
    paths = []
    known: dict[bytes, str] = {}
    for number, layer in enumerate(image.layers):
        directory = f"{number:064x}"
        members += [(f"{directory}/VERSION", b"1.0"), (f"{directory}/json", b"{}")]
        path = f"{directory}/layer.tar"
        if layer in known:
            members.append(make_link(path, f"../{known[layer]}"))
        else:
            members.append((path, layer))
        known.setdefault(layer, path)
        paths.append(path)
    entry = {"Config": config, "RepoTags": ["rancher/mirrored-pause:3.6"], "Layers": paths}
    return [
        *members,
        (config, image.config),
        ("manifest.json", to_json([entry])),
        ("repositories", b"{}"),
    ]


@attrs.frozen
class Artifact:
    """An artifact: a signature or a list of parts, perhaps about a manifest."""

    content: bytes
    subject: bytes | None = None
    artifact_type: str = "application/vnd.test.note"

    @property
    def manifest(self) -> bytes:
        """The manifest; with a subject if there is one."""
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": self.artifact_type,
            "config": describe(OCI_EMPTY, b"{}"),
            "layers": [describe("text/plain", self.content)],
        }
        if self.subject is not None:
            document["subject"] = describe(OCI_MANIFEST, self.subject)
        return to_json(document)

    @property
    def blobs(self) -> tuple[bytes, ...]:
        """The empty config and the layer."""
        return (b"{}", self.content)

    @property
    def digest(self) -> Digest:
        """The digest of the manifest."""
        return Digest.of(self.manifest)


def make_annotated_layout(
    *entries: tuple["Image | Artifact", Mapping[str, str]],
) -> list[tuple[str, bytes]]:
    """List the members of a layout whose entries have annotations, and nothing else."""
    contents = {content for entry, _ in entries for content in (*entry.blobs, entry.manifest)}
    described = [
        describe(OCI_MANIFEST, entry.manifest, annotations=dict(annotations))
        for entry, annotations in entries
    ]
    return make_layout(sorted(contents), described)
