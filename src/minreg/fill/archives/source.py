"""Where archives come from: a file, a directory, or a stream such as standard input."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from minreg.fill.archives.compression import Readable, open_decompressed
from minreg.fill.archives.directory import read_directory
from minreg.fill.archives.failures import ArchiveInvalid
from minreg.fill.archives.members import Member
from minreg.fill.archives.tar import read_tar

STANDARD_INPUT = "-"


@contextmanager
def open_members(source: str, standard_input: Readable) -> Iterator[Iterator[Member]]:
    """Open an archive, to be read once.

    Args:
        source: The path of a file or directory, or ``-``.
        standard_input: What ``-`` stands for.

    Raises:
        ArchiveInvalid: It is not there or cannot be read. Reading the members raises it
            for what is wrong with them.
    """
    try:
        if source == STANDARD_INPUT:
            yield read_tar(open_decompressed(standard_input))
        elif os.path.isdir(source):
            _check_directory(source)
            yield read_directory(source)
        else:
            with open(source, "rb", buffering=0) as file:
                yield read_tar(open_decompressed(file))
    except OSError as error:
        place = error.filename or source
        raise ArchiveInvalid(f"cannot read {place}: {error.strerror}") from None


def _check_directory(path: str) -> None:
    """Refuse a directory of archives before all of it is read."""
    if not any(
        os.path.exists(os.path.join(path, name)) for name in ("index.json", "manifest.json")
    ):
        raise ArchiveInvalid(
            "it has neither an index.json nor a manifest.json, so it is no image archive: "
            "name the archives that lie in it"
        )
