"""Writes files on a node: whole, or not at all."""

import os
from contextlib import suppress


def write_file(path: str, text: str, mode: int = 0o644) -> None:
    """Put a file in the place of the one that is there, if there is one.

    Args:
        path: The file; a link is replaced, not followed.
        text: What it is to hold; its line ends are kept.
        mode: Who may read it. What is there already is given no more rights than it has.

    Raises:
        OSError: It cannot be written; what was there is there still.
    """
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with suppress(FileNotFoundError):
        mode &= os.stat(path).st_mode
    new = f"{path}.minreg-new"
    with suppress(FileNotFoundError):
        os.unlink(new)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        os.fchmod(descriptor, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise
