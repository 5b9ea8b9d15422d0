"""What processor a node has, in the words of container platforms."""

import os
import struct

from minreg.node.doctor.files import NodeFiles

# What uname(2) calls it, and what e_machine of an ELF header says (elf(5)).
_BY_NAME = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv6l": "arm",
    "armv7l": "arm",
    "armv8l": "arm",
    "s390x": "s390x",
    "riscv64": "riscv64",
    "ppc64le": "ppc64le",
}
_BY_NUMBER = {
    62: "amd64",
    183: "arm64",
    40: "arm",
    22: "s390x",
    243: "riscv64",
    21: "ppc64le",
}
_PROGRAMS = (
    "/usr/local/bin/k3s",
    "/usr/local/bin/rke2",
    "/opt/rke2/bin/rke2",
    "/usr/bin/env",
    "/bin/sh",
)


def find_architecture(files: NodeFiles) -> str:
    """Tell which architecture a node has; empty if it is none that is known here.

    Of an image of a node, its programs tell.
    """
    if files.is_live:
        return _BY_NAME.get(os.uname().machine, "")
    for path in _PROGRAMS:
        file = files.read(path)
        if file is not None and file.content[:4] == b"\x7fELF" and len(file.content) > 20:
            order = ">" if file.content[5] == 2 else "<"
            (number,) = struct.unpack_from(f"{order}H", file.content, 18)
            return _BY_NUMBER.get(number, "")
    return ""
