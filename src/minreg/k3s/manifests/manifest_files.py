"""Finds and reads manifest files, as K3s does in its ``manifests`` directory.

Source: K3s, ``walkFiles`` and ``shouldSkipFile`` in ``pkg/deploy/controller.go``, and
``HasSuffixI`` in ``pkg/agent/util/strings.go``.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import attrs

from minreg.text import TextInvalid, decode_text, printable

_SUFFIXES = (".yaml", ".yml", ".json")
_SKIP = ".skip"
_MAX_BYTES = 16 * 1024 * 1024
STANDARD_INPUT = "-"


_CHART = "Chart.yaml"
_TEMPLATES = "templates"
_VALUES = "values.yaml"
_SCHEMA = "values.schema.json"


class ManifestsInvalid(Exception):
    """Manifests cannot be read; the message has a line for each reason.

    Attributes:
        notes: Which images of the other manifests are not known.
    """

    def __init__(self, *reasons: str, notes: Sequence[str] = ()) -> None:
        super().__init__("\n".join(map(printable, reasons)))
        self.notes = tuple(notes)


@attrs.frozen
class ManifestFile:
    """A file.

    Attributes:
        name: Its name, for people.
        text: Its text.
        is_chart: Whether it describes a Helm chart that is not part of another one.
        is_values: Whether it has the default values of a chart.
    """

    name: str
    text: str
    is_chart: bool = False
    is_values: bool = False


def read_files(path: str, standard_input: BinaryIO) -> Iterator[ManifestFile]:
    """Read manifest files. The templates of Helm charts are left out: they are no manifests.

    Args:
        path: A file, a pipe, a directory, whose subdirectories are searched too, or ``-``.
        standard_input: The file to read for ``-``.

    Raises:
        ManifestsInvalid: There is no file, or one that cannot be read or is not UTF-8.
    """
    if path == STANDARD_INPUT:
        content = standard_input.read(_MAX_BYTES + 1)
        yield ManifestFile("(standard input)", _decode("the standard input", content))
        return
    names = _list_files(path)
    charts = {os.path.dirname(name) for name in names if os.path.basename(name) == _CHART}
    for name in names:
        directory, base = os.path.split(name)
        in_chart = directory in charts
        if _is_template(name, charts) or (in_chart and base == _SCHEMA):
            continue
        try:
            with open(name, "rb") as file:
                content = file.read(_MAX_BYTES + 1)
        except OSError as error:
            raise ManifestsInvalid(f"{name}: {error.strerror}") from None
        yield ManifestFile(
            name,
            _decode(name, content),
            base == _CHART and not any(above in charts for above in _parents(directory)),
            in_chart and base == _VALUES,
        )


def _is_template(name: str, charts: set[str]) -> bool:
    """Return whether a file is among the templates of a chart."""
    below = os.path.dirname(name)
    return any(
        os.path.basename(directory) == _TEMPLATES and os.path.dirname(directory) in charts
        for directory in (below, *_parents(below))
    )


def _parents(directory: str) -> Iterator[str]:
    """Yield the directories above one, as they are written in its name."""
    while (above := os.path.dirname(directory)) != directory:
        yield above
        directory = above


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
        return decode_text(content)
    except TextInvalid as error:
        raise ManifestsInvalid(f"{name} is {error}") from None
