"""Files of manifests, as K3s looks for them in its directory for them.

Source: k3s-io/k3s pkg/deploy/controller.go, ``walkFiles`` and ``shouldSkipFile``;
pkg/agent/util/strings.go, ``HasSuffixI``.
"""

import os
import stat
from collections.abc import Iterator
from typing import BinaryIO

from minreg.text import printable

_SUFFIXES = (".yaml", ".yml", ".json")
_SKIP = ".skip"
_LARGEST = 16 * 1024 * 1024
STANDARD_INPUT = "-"


class ManifestsInvalid(Exception):
    """There are no manifests that could be read; the text says why, a line for each file."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("\n".join(map(printable, reasons)))


def read_files(path: str, standard_input: BinaryIO) -> Iterator[tuple[str, str]]:
    """Read manifests.

    Args:
        path: A file, a pipe, a directory with files in it and below it, or ``-``.
        standard_input: What that stands for.

    Yields:
        The name of a file, and its text.

    Raises:
        ManifestsInvalid: There is nothing to read, or it is no text.
    """
    if path == STANDARD_INPUT:
        yield "(standard input)", _decode("the standard input", standard_input.read(_LARGEST + 1))
        return
    for name in _list_files(path):
        try:
            with open(name, "rb") as file:
                content = file.read(_LARGEST + 1)
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
    found = sorted(
        os.path.join(directory, name)
        for directory, name in listed
        if name.lower().endswith(_SUFFIXES) and not name.startswith(".") and name not in skipped
    )
    if not found:
        raise ManifestsInvalid(f"{path} has no file whose name ends in {', '.join(_SUFFIXES)}")
    return [name for name in found if os.path.isfile(name)]


def _is_pipe(path: str) -> bool:
    """Tell whether a path is what a shell makes of ``<(helm template …)``."""
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False


def _walk(path: str) -> Iterator[tuple[str, list[str]]]:
    """Go through a directory and what it links to, though not to what that links to.

    No directory is gone through for a second link: links cannot make more of it than it is.
    """
    followed: set[str] = set()
    for directory, below, names in os.walk(path):
        yield directory, names
        linked = [os.path.join(directory, name) for name in below]
        for place in filter(os.path.islink, linked):
            target = os.path.realpath(place)
            if target not in followed:
                followed.add(target)
                yield from ((found, held) for found, _, held in os.walk(place))


def _decode(name: str, content: bytes) -> str:
    if len(content) > _LARGEST:
        raise ManifestsInvalid(f"{name} is larger than {_LARGEST} bytes: no manifest is")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestsInvalid(f"{name} is no text in UTF-8 ({error.reason})") from None
