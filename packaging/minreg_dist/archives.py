"""Writes a tree as archives whose bytes depend on its files alone."""

import gzip
import hashlib
import os
import tarfile
from collections.abc import Iterable

_HERE = os.path.dirname(os.path.abspath(__file__))
_EPOCH = 315532800
"""The time of modification of all files: 1980-01-01, the earliest that all archives can store."""


def write_tar(tree: str, name: str, path: str) -> None:
    """Write a tree as a compressed tar archive.

    Args:
        tree: The root of the tree.
        name: The name of the directory in the archive.
        path: The archive.
    """
    with (
        open(path, "wb") as file,
        gzip.GzipFile("", "wb", compresslevel=9, fileobj=file, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        archive.add(tree, name, recursive=False, filter=_normalize)
        for parent, directories, files in os.walk(tree):
            directories.sort()
            for entry in sorted([*directories, *files]):
                full = os.path.join(parent, entry)
                stored = os.path.join(name, os.path.relpath(full, tree))
                archive.add(full, stored, recursive=False, filter=_normalize)


def _normalize(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mtime = _EPOCH
    return member


def write_installer(archive: str, version: str, machine: str, path: str) -> None:
    """Write a self-extracting installer: a shell script with an archive at its end.

    Args:
        archive: The archive, made by ``write_tar`` with the name ``minreg``.
        version: minreg's version.
        machine: What ``uname -m`` prints on the node.
        path: The installer.
    """
    with open(archive, "rb") as file:
        payload = file.read()
    with open(os.path.join(_HERE, "installer.sh"), encoding="utf-8") as file:
        script = file.read()
    values = {
        "@VERSION@": version,
        "@MACHINE@": machine,
        "@SHA256@": hashlib.sha256(payload).hexdigest(),
        "@LINES@": str(script.count("\n") + 1),
    }
    for name, value in values.items():
        script = script.replace(name, value)
    with open(path, "wb") as file:
        file.write(script.encode("ascii"))
        file.write(payload)
    os.chmod(path, 0o755)


def write_sums(paths: Iterable[str], path: str) -> None:
    """Write the SHA-256 of files, as ``sha256sum --check`` reads it."""
    lines = []
    for name in sorted(paths, key=os.path.basename):
        with open(name, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        lines.append(f"{digest}  {os.path.basename(name)}\n")
    with open(path, "w", encoding="ascii") as file:
        file.writelines(lines)
