"""An image archive that was unpacked, or an OCI layout that never was packed."""

import os
from collections.abc import Iterator

from minreg.fill.archives.failures import ArchiveInvalid
from minreg.fill.archives.members import File, Link, Member
from minreg.fill.archives.paths import clean_symbolic_link


def read_directory(root: str) -> Iterator[Member]:
    """Read what lies below a directory, in the order of the names.

    Raises:
        ArchiveInvalid: Something there is neither a file, nor a directory, nor a link, or
            is a link that leads out of the directory.
    """
    yield from _read_below(root, "")


def _read_below(root: str, above: str) -> Iterator[Member]:
    with os.scandir(os.path.join(root, above)) as scanned:
        entries = sorted(scanned, key=lambda entry: entry.name)
    for entry in entries:
        path = f"{above}{entry.name}"
        if entry.is_symlink():
            yield Link(path, clean_symbolic_link(path, os.readlink(entry.path)))
        elif entry.is_dir():
            yield from _read_below(root, f"{path}/")
        elif entry.is_file():
            yield from _read_file(path, entry.path)
        else:
            raise ArchiveInvalid(
                f"{path!r} is neither a file, nor a directory, nor a link: remove it"
            )


def _read_file(path: str, place: str) -> Iterator[Member]:
    # Follows no link that was put there just now.
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        yield File(path, os.fstat(descriptor).st_size, file)
