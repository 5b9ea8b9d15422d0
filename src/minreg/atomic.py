"""Replaces files so that readers, and a power failure, see the old or the new one complete.

1. The new file is written under a temporary name on the same file system.
2. fsync(2) of the file: without it the rename may reach the disk before the content does, and
   after a power failure the file is empty.
3. rename(2), which replaces the old file in one step.
4. fsync(2) of the directory: without it the rename may be lost, although something that was
   written later is not.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def write_file_atomically(
    path: str,
    content: bytes,
    *,
    temporary: str,
    mode: int | None = None,
    directory: int | None = None,
    temporary_directory: int | None = None,
) -> None:
    """Create or replace a file.

    Args:
        path: The file; a symbolic link is replaced, not followed.
        content: All of its bytes.
        temporary: A path on the same file system; a leftover there is removed.
        mode: The permission bits; None for 0666 less the umask.
        directory: A descriptor of the directory that ``path`` is relative to, if any.
        temporary_directory: The same for ``temporary``.

    Raises:
        OSError: The file could not be written; the old one is unchanged.
    """
    with suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=temporary_directory)
    with replace_atomically(
        path, temporary, directory=directory, temporary_directory=temporary_directory
    ):
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        creation_mode = 0o666 if mode is None else mode
        descriptor = os.open(temporary, flags, creation_mode, dir_fd=temporary_directory)
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None:
                os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)


@contextmanager
def replace_atomically(
    path: str,
    temporary: str,
    *,
    directory: int | None = None,
    temporary_directory: int | None = None,
) -> Iterator[None]:
    """Rename what the body created at ``temporary`` to ``path``; remove it if that fails.

    The body flushes a file to the disk itself. The arguments are those of
    ``write_file_atomically``.

    Raises:
        OSError: It could not be renamed; what is at ``path`` is unchanged.
    """
    try:
        yield
        os.rename(temporary, path, src_dir_fd=temporary_directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=temporary_directory)
        raise
    parent = os.open(
        os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory
    )
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
