"""Writes the sample image: a static program for each architecture, and a note that refers to it.

The programs write one line and exit. They are constants, so that the image has the same digest
everywhere; ``tests/elf.py`` assembles them from instructions, and the tests compare.
"""

import base64
import io
import json
import struct
import tarfile
import zlib
from collections.abc import Mapping
from typing import Any

from minreg.defaults import SAMPLE_REPOSITORY, SAMPLE_TAGS
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.names import OCI_CONFIG, OCI_EMPTY, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST, Digest

PROGRAMS: Mapping[str, bytes] = {
    architecture: base64.b64decode(encoded)
    for architecture, encoded in {
        "amd64": """
            f0VMRgIBAQAAAAAAAAAAAAIAPgABAAAAeABAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAEAAOAABAAAA
            AAAAAAEAAAAFAAAAAAAAAAAAAAAAAEAAAAAAAAAAQAAAAAAAuQAAAAAAAAC5AAAAAAAAAAAAAQAAAAAA
            uAEAAAC/AQAAAEiNNRAAAAC6IAAAAA8FuDwAAAAx/w8FSGVsbG8gZnJvbSBtaW5yZWcgKGxpbnV4L2Ft
            ZDY0KQo=
        """,
        "arm64": """
            f0VMRgIBAQAAAAAAAAAAAAIAtwABAAAAeABAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAEAAOAABAAAA
            AAAAAAEAAAAFAAAAAAAAAAAAAAAAAEAAAAAAAAAAQAAAAAAAuAAAAAAAAAC4AAAAAAAAAAAAAQAAAAAA
            IACA0uEAABACBIDSCAiA0gEAANQAAIDSqAuA0gEAANRIZWxsbyBmcm9tIG1pbnJlZyAobGludXgvYXJt
            NjQpCg==
        """,
    }.items()
}
"""Linux programs (ELF) that print ``Hello from minreg (linux/ARCHITECTURE)``, by architecture."""

REPOSITORY = SAMPLE_REPOSITORY
TAGS = SAMPLE_TAGS
NOTE_TYPE = "application/vnd.minreg.sample.note.v1+text"
"""The artifact type of the note that refers to the image, and the media type of its layer."""

_NOTE = b"This note refers to the sample image, as a signature or a list of parts would.\n"


def write_sample(tree: TreeWriter) -> bool:
    """Write the sample into a tree; return whether the tree did not have it before."""
    index = _write_document(
        tree,
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [_write_image(tree, architecture) for architecture in PROGRAMS],
        },
    )
    _write_note(tree, index)
    tagged = [tree.tag(REPOSITORY, tag, Digest.parse(index["digest"])) for tag in TAGS]
    return any(tagged)


def _write_image(tree: TreeWriter, architecture: str) -> dict[str, Any]:
    platform = {"architecture": architecture, "os": "linux"}
    layer = _make_layer(PROGRAMS[architecture])
    config = {
        **platform,
        "created": "1970-01-01T00:00:00Z",
        "config": {"Entrypoint": ["/hello"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(layer))]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _write_blob(tree, OCI_CONFIG, _as_json(config)),
        "layers": [_write_blob(tree, OCI_LAYER_GZIP, _compress(layer))],
    }
    return {**_write_document(tree, manifest), "platform": platform}


def _write_note(tree: TreeWriter, subject: dict[str, Any]) -> None:
    note = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": NOTE_TYPE,
        "config": _write_blob(tree, OCI_EMPTY, b"{}"),
        "layers": [_write_blob(tree, NOTE_TYPE, _NOTE)],
        "subject": subject,
        "annotations": {"org.opencontainers.image.title": "A note on the sample image"},
    }
    _write_document(tree, note)


def _make_layer(program: bytes) -> bytes:
    """Return a layer, uncompressed, with the program as ``/hello``."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        member = tarfile.TarInfo("hello")
        member.mode = 0o755
        member.size = len(program)
        archive.addfile(member, io.BytesIO(program))
    return layer.getvalue()


def _compress(content: bytes) -> bytes:
    """Return content as a gzip member with one stored block.

    Some clients, such as ``crane validate``, read compressed layers only. The output of
    compressors, and so the digest of a layer, depends on their version; a stored block does not.
    Source: RFC 1952, section 2.3; RFC 1951, section 3.2.4.

    Args:
        content: Up to 65,535 bytes.
    """
    size = len(content)
    header = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    block = b"\x01" + struct.pack("<HH", size, size ^ 0xFFFF) + content
    return header + block + struct.pack("<II", zlib.crc32(content), size)


def _write_blob(tree: TreeWriter, media_type: str, content: bytes) -> dict[str, Any]:
    digest = Digest.of(content)
    if not tree.has_blob(REPOSITORY, digest, len(content)):
        with tree.open_partial(digest) as partial:
            partial.restart()
            partial.write(content)
            partial.commit(len(content))
    tree.link_blob(REPOSITORY, digest, len(content))
    return _describe(media_type, content)


def _write_document(tree: TreeWriter, document: dict[str, Any]) -> dict[str, Any]:
    content = _as_json(document)
    tree.write_manifest(REPOSITORY, content)
    return _describe(document["mediaType"], content)


def _describe(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content)}


def _as_json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode("ascii")
