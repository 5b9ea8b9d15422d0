"""Assembles the programs of the sample image: one line is written, then the program exits.

Another program waits for ever.

Each is an ELF file of one segment: file header, program header, some instructions, the line.
It needs no loader and no library. Sources: the ELF-64 object file format; the System V ABI for
the machine numbers; the kernel's system call tables (x86-64: write 1, pause 34, exit 60; the
generic table, which arm64 uses: write 64, ppoll 73, exit 93).
"""

import struct
from collections.abc import Callable, Mapping

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
    """Return a static Linux program that writes ``line`` to its standard output, and exits with 0.

    Args:
        architecture: ``amd64`` or ``arm64``.
        line: ASCII, without its line feed.
    """
    machine, assemble = _MACHINES[architecture]
    text = line.encode("ascii") + b"\n"
    return _link(machine, assemble(len(text)) + text)


def make_pause_program(architecture: str) -> bytes:
    """Return a static Linux program that waits until it is killed, as that of a pod's sandbox.

    Args:
        architecture: ``amd64`` or ``arm64``.
    """
    machine, _ = _MACHINES[architecture]
    return _link(machine, _PAUSES[architecture])


def _link(machine: int, content: bytes) -> bytes:
    size = _HEADERS + len(content)
    # Class 64 bit, little-endian, version 1, System V.
    identity = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    entry = _BASE + _HEADERS
    sizes = (_HEADER.size, _PROGRAM_HEADER.size, 1, 0, 0, 0)
    header = _HEADER.pack(identity, _EXECUTABLE, machine, 1, entry, _HEADER.size, 0, 0, *sizes)
    segment = _PROGRAM_HEADER.pack(_LOAD, _READ_EXECUTE, 0, _BASE, _BASE, size, size, _ALIGNMENT)
    return header + segment + content


def _assemble_amd64(length: int) -> bytes:
    """Return instructions for x86-64; the line follows them directly."""
    return b"".join(
        (
            b"\xb8" + struct.pack("<I", 1),  # mov eax, 1 (write)
            b"\xbf" + struct.pack("<I", 1),  # mov edi, 1 (standard output)
            b"\x48\x8d\x35" + struct.pack("<i", 16),  # lea rsi, [rip + 16]: past the rest
            b"\xba" + struct.pack("<I", length),  # mov edx, length
            b"\x0f\x05",  # syscall
            b"\xb8" + struct.pack("<I", 60),  # mov eax, 60 (exit)
            b"\x31\xff",  # xor edi, edi
            b"\x0f\x05",  # syscall
        )
    )


def _assemble_arm64(length: int) -> bytes:
    """Return instructions for AArch64; the line follows them directly."""
    instructions = (
        _move(0, 1),  # mov x0, #1 (standard output)
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

_PAUSES: Mapping[str, bytes] = {
    "amd64": b"".join(
        (
            b"\xb8" + struct.pack("<I", 34),  # mov eax, 34 (pause)
            b"\x0f\x05",  # syscall
            b"\xeb\xf7",  # jmp to the first instruction
        )
    ),
    "arm64": struct.pack(
        "<7I",
        _move(0, 0),  # mov x0, #0 (no file descriptors)
        _move(1, 0),  # mov x1, #0
        _move(2, 0),  # mov x2, #0 (no timeout)
        _move(3, 0),  # mov x3, #0 (no change of the signal mask)
        _move(8, 73),  # mov x8, #73 (ppoll)
        0xD4000001,  # svc #0
        0x14000000 | (-6 & 0x3FFFFFF),  # b to the first instruction
    ),
}
