"""An image archive that was unpacked, or an OCI layout that never was packed."""

import os
from collections.abc import Iterator

from minreg.fill.archives.failures import ArchiveInvalid
from minreg.fill.archives.members import File, Link, Member
from minreg.fill.archives.paths import clean_path, clean_symbolic_link


def read_directory(root: str) -> Iterator[Member]:
    """Read what lies below a directory, in the order of the names.

    Raises:
        ArchiveInvalid: Something there is neither a file, nor a directory, nor a link, is
            a link that leads out of the directory, or lies deeper than in any archive.
    """
    unread = [_scan(root, "")]
    while unread:
        path, entry = next(unread[-1], ("", None))
        if entry is None:
            unread.pop()
        elif entry.is_symlink():
            yield Link(path, clean_symbolic_link(path, os.readlink(entry.path)))
        elif entry.is_dir():
            unread.append(_scan(root, path))
        elif entry.is_file():
            yield from _read_file(path, entry.path)
        else:
            raise ArchiveInvalid(
                f"{path!r} is neither a file, nor a directory, nor a link: remove it"
            )


def _scan(root: str, above: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Go through a directory in the order of its names, the path of each with it."""
    with os.scandir(os.path.join(root, above)) as scanned:
        entries = sorted(scanned, key=lambda entry: entry.name)
    for entry in entries:
        yield clean_path(os.path.join(above, entry.name)), entry


def _read_file(path: str, place: str) -> Iterator[Member]:
    # Follows no link that was put there just now.
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        yield File(path, os.fstat(descriptor).st_size, file)
