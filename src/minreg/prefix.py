"""Paths of a system whose root directory is another directory here, such as a mounted disk."""

import errno
import os

_MAX_LINKS = 40
"""The most symbolic links that are followed on one path, as in Linux (path_resolution(7))."""


def resolve_below(prefix: str, path: str) -> str:
    """Resolve a path of the system below ``prefix``, as that system would after chroot(2).

    Links are followed within ``prefix``: one to ``/data`` leads to ``data`` below it, and ``..``
    does not lead out. Components that do not exist are kept.

    Args:
        prefix: The directory that stands for the root of the system.
        path: A path there, with or without a slash at its beginning.

    Returns:
        The path here, below ``prefix``, none of whose components below ``prefix`` is a link.

    Raises:
        OSError: There are too many links (ELOOP), a link cannot be read, or no file can have
            this name (EINVAL).
    """
    _check_name(path)
    resolved: list[str] = []
    remaining = path.split("/")[::-1]
    links = 0
    while remaining:
        name = remaining.pop()
        if name in {"", "."}:
            continue
        if name == "..":
            resolved = resolved[:-1]
            continue
        candidate = os.path.join(prefix, *resolved, name)
        if not os.path.islink(candidate):
            resolved.append(name)
            continue
        links += 1
        if links > _MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = os.readlink(candidate)
        remaining += target.split("/")[::-1]
        if target.startswith("/"):
            resolved = []
    return os.path.join(prefix, *resolved)


def _check_name(path: str) -> None:
    try:
        is_name = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        is_name = False
    if not is_name:
        raise OSError(errno.EINVAL, "no file can have this name", path)
