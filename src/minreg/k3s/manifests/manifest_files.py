"""Finds and reads manifest files, as K3s does in its ``manifests`` directory.

Source: K3s, ``walkFiles`` and ``shouldSkipFile`` in ``pkg/deploy/controller.go``, and
``HasSuffixI`` in ``pkg/agent/util/strings.go``.
"""

import os
import stat
from collections.abc import Iterator
from typing import BinaryIO

from minreg.text import printable

_SUFFIXES = (".yaml", ".yml", ".json")
_SKIP = ".skip"
_MAX_BYTES = 16 * 1024 * 1024
STANDARD_INPUT = "-"


class ManifestsInvalid(Exception):
    """Manifests cannot be read; the message has a line for each reason."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("\n".join(map(printable, reasons)))


def read_files(path: str, standard_input: BinaryIO) -> Iterator[tuple[str, str]]:
    """Read manifest files.

    Args:
        path: A file, a pipe, a directory, whose subdirectories are searched too, or ``-``.
        standard_input: The file to read for ``-``.

    Yields:
        The name of a file, and its text.

    Raises:
        ManifestsInvalid: There is no file, or one that cannot be read or is not UTF-8.
    """
    if path == STANDARD_INPUT:
        yield (
            "(standard input)",
            _decode("the standard input", standard_input.read(_MAX_BYTES + 1)),
        )
        return
    for name in _list_files(path):
        try:
            with open(name, "rb") as file:
                content = file.read(_MAX_BYTES + 1)
        except OSError as error:
            raise ManifestsInvalid(f"{name}: {error.strerror}") from None
        yield name, _decode(name, content)


def _list_files(path: str) -> list[str]:
    if os.path.isfile(path) or _is_pipe(path):
        return [path]
    if not os.path.isdir(path):
        raise ManifestsInvalid(f"{path} is neither a file nor a directory of manifests")
    listed = [(directory, name) for directory, names in _walk(path) for name in names]
    skipped = {name.removesuffix(_SKIP) for _, name in listed if name.endswith(_SKIP)}
    paths = sorted(
        os.path.join(directory, name)
        for directory, name in listed
        if name.lower().endswith(_SUFFIXES) and not name.startswith(".") and name not in skipped
    )
    if not paths:
        raise ManifestsInvalid(f"{path} has no files whose names end in {', '.join(_SUFFIXES)}")
    return [name for name in paths if os.path.isfile(name)]


def _is_pipe(path: str) -> bool:
    """Return whether a path is a pipe, as bash makes for ``<(helm template …)``."""
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False


def _walk(path: str) -> Iterator[tuple[str, list[str]]]:
    """Walk a directory, and the directories that links in it lead to, but no links in these.

    A directory that several links lead to is walked once.

    Yields:
        A directory, and the names of the files in it.
    """
    followed: set[str] = set()
    for directory, below, names in os.walk(path):
        yield directory, names
        linked = [os.path.join(directory, name) for name in below]
        for link in filter(os.path.islink, linked):
            target = os.path.realpath(link)
            if target not in followed:
                followed.add(target)
                yield from ((linked_to, files) for linked_to, _, files in os.walk(link))


def _decode(name: str, content: bytes) -> str:
    if len(content) > _MAX_BYTES:
        raise ManifestsInvalid(f"{name} is larger than {_MAX_BYTES} bytes: this is not a manifest")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestsInvalid(
            f"{name} is not UTF-8 ({error.reason}): this is not a manifest"
        ) from None
