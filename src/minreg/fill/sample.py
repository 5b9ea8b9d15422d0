"""The smallest programs that a container can run: they write one line and exit.

Each is one ELF file of one segment: header, program header, some instructions, the line.
No loader, no library. Sources: the ELF-64 object file format; the System V ABI for the
machine numbers; the kernel's system call tables (x86-64: write 1, exit 60; the generic
table, which arm64 uses: write 64, exit 93).
"""

import io
import json
import struct
import tarfile
from collections.abc import Callable, Mapping
from typing import Any

from minreg.defaults import SAMPLE_REPOSITORY, SAMPLE_TAGS
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.names import OCI_CONFIG, OCI_EMPTY, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Digest

_BASE = 0x400000
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_HEADERS = _HEADER.size + _PROGRAM_HEADER.size

_EXECUTABLE = 2
_LOAD = 1
_READ_EXECUTE = 5
# Kernels for arm64 may use pages of 64 KiB; smaller ones accept that alignment too.
_ALIGNMENT = 0x10000


def make_program(architecture: str, line: str) -> bytes:
    """Make a static Linux program that writes ``line`` to its output and exits with 0.

    Args:
        architecture: As an OCI platform names it, one of ``ARCHITECTURES``.
        line: ASCII, without its line feed.
    """
    machine, assemble = _MACHINES[architecture]
    text = line.encode("ascii") + b"\n"
    content = assemble(len(text)) + text
    size = _HEADERS + len(content)
    # Class 64 bit, little-endian, version 1, System V.
    identity = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    entry = _BASE + _HEADERS
    header = _HEADER.pack(
        identity,
        _EXECUTABLE,
        machine,
        1,
        entry,
        _HEADER.size,
        0,
        0,
        _HEADER.size,
        _PROGRAM_HEADER.size,
        1,
        0,
        0,
        0,
    )
    segment = _PROGRAM_HEADER.pack(_LOAD, _READ_EXECUTE, 0, _BASE, _BASE, size, size, _ALIGNMENT)
    return header + segment + content


def _assemble_amd64(length: int) -> bytes:
    """Instructions for x86-64; the line follows them directly."""
    return b"".join(
        (
            b"\xb8" + struct.pack("<I", 1),  # mov eax, 1 (write)
            b"\xbf" + struct.pack("<I", 1),  # mov edi, 1 (the output)
            b"\x48\x8d\x35" + struct.pack("<i", 16),  # lea rsi, [rip + 16]: past the rest
            b"\xba" + struct.pack("<I", length),  # mov edx, length
            b"\x0f\x05",  # syscall
            b"\xb8" + struct.pack("<I", 60),  # mov eax, 60 (exit)
            b"\x31\xff",  # xor edi, edi
            b"\x0f\x05",  # syscall
        )
    )


def _assemble_arm64(length: int) -> bytes:
    """Instructions for AArch64; the line follows them directly."""
    instructions = (
        _move(0, 1),  # mov x0, #1 (the output)
        0x10000000 | (28 >> 2) << 5 | 1,  # adr x1, . + 28: past the other seven
        _move(2, length),  # mov x2, #length
        _move(8, 64),  # mov x8, #64 (write)
        0xD4000001,  # svc #0
        _move(0, 0),  # mov x0, #0
        _move(8, 93),  # mov x8, #93 (exit)
        0xD4000001,  # svc #0
    )
    return struct.pack(f"<{len(instructions)}I", *instructions)


def _move(register: int, value: int) -> int:
    """Encode ``movz x<register>, #<value>``."""
    return 0xD2800000 | value << 5 | register


_MACHINES: Mapping[str, tuple[int, Callable[[int], bytes]]] = {
    "amd64": (62, _assemble_amd64),
    "arm64": (183, _assemble_arm64),
}

ARCHITECTURES = tuple(_MACHINES)
"""The architectures that programs can be made for."""


REPOSITORY = SAMPLE_REPOSITORY
TAGS = SAMPLE_TAGS
NOTE_TYPE = "application/vnd.minreg.sample.note.v1+text"
"""The artifact type of what refers to the image, and the media type of its layer."""

_NOTE = b"This note refers to the sample image, as a signature or a list of parts would.\n"


def write_sample(tree: TreeWriter) -> bool:
    """Write the sample into a tree, and tell whether it was not there before."""
    index = _write_document(
        tree,
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [_write_image(tree, architecture) for architecture in ARCHITECTURES],
        },
    )
    _write_note(tree, index)
    tagged = [tree.tag(REPOSITORY, tag, Digest.parse(index["digest"])) for tag in TAGS]
    return any(tagged)


def _write_image(tree: TreeWriter, architecture: str) -> dict[str, Any]:
    platform = {"architecture": architecture, "os": "linux"}
    layer = _make_layer(make_program(architecture, f"Hello from minreg (linux/{architecture})"))
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
        "layers": [_write_blob(tree, OCI_LAYER, layer)],
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
    """Make an uncompressed layer: compressors of different machines give different bytes."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        member = tarfile.TarInfo("hello")
        member.mode = 0o755
        member.size = len(program)
        archive.addfile(member, io.BytesIO(program))
    return layer.getvalue()


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
