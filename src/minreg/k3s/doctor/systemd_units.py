"""Reads the systemd units of a node, with their drop-ins, and whether they are enabled.

Source: systemd.unit(5) and systemd.syntax(7). Units that generators or ``systemctl set-property``
create at run time are not read.
"""

import re
import shlex
from collections.abc import Iterator, Sequence

import attrs

from minreg.k3s.doctor.node_files import NodeFile, NodeFiles

DIRECTORIES = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
"""The directories of units; an earlier one has priority over a later one."""

ADMINISTRATOR = DIRECTORIES[0]

_KEY = re.compile(r"[A-Z][A-Za-z0-9]*|X-.+")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)")


@attrs.frozen
class Entry:
    """An assignment in a unit file, and its position."""

    section: str
    key: str
    value: str
    path: str
    line: int


@attrs.frozen
class Unit:
    """A unit with its drop-ins.

    ``path`` is its main file. ``entries`` are all assignments in their order. ``ignored_lines``
    are lines that systemd ignores because they are not assignments.
    """

    name: str
    path: str
    is_masked: bool
    is_enabled: bool
    entries: Sequence[Entry] = ()
    ignored_lines: Sequence[Entry] = ()

    def entry(self, section: str, key: str) -> Entry | None:
        """Return the last assignment to a key; None if there is none."""
        entries = self.list_entries(section, key)
        return entries[-1] if entries else None

    def list_entries(self, section: str, key: str) -> list[Entry]:
        """List the assignments to a key that takes several; an empty one resets the list."""
        entries: list[Entry] = []
        for entry in self.entries:
            if (entry.section, entry.key) == (section, key):
                entries = [*entries, entry] if entry.value else []
        return entries

    def list_units(self, section: str, key: str) -> set[str]:
        """Return the units that a key such as ``After`` lists."""
        return {name for entry in self.list_entries(section, key) for name in entry.value.split()}

    def text(self, section: str, key: str) -> str:
        """Return the last value of a key; empty if there is none."""
        entry = self.entry(section, key)
        return entry.value if entry is not None else ""


def find_unit(files: NodeFiles, name: str) -> Unit | None:
    """Read a unit; None if it does not exist."""
    for directory in DIRECTORIES:
        path = f"{directory}/{name}"
        if files.link(path) == "/dev/null":
            return Unit(name, path, is_masked=True, is_enabled=False)
        main = files.read(path)
        if main is not None:
            parsed = [_read_entries(file) for file in (main, *_drop_ins(files, name))]
            return Unit(
                name,
                path,
                is_masked=False,
                is_enabled=_is_enabled(files, name),
                entries=[entry for entries, _ in parsed for entry in entries],
                ignored_lines=[line for _, ignored in parsed for line in ignored],
            )
    return None


def list_services(files: NodeFiles, prefix: str) -> list[str]:
    """List the services whose name begins with a prefix."""
    names = {name for directory in DIRECTORIES for name in files.names(directory)}
    return sorted(name for name in names if name.startswith(prefix) and name.endswith(".service"))


def split_words(text: str) -> list[str]:
    """Split a command line as a shell does, or at blanks if its quotes do not match."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def expand(words: Sequence[str], environment: dict[str, str]) -> list[str]:
    """Expand variables: an argument ``$NAME`` is split into words, ``${NAME}`` is not."""
    expanded: list[str] = []
    for word in words:
        match = _VARIABLE.fullmatch(word)
        if match is not None and match[2]:
            expanded += split_words(environment.get(match[2], ""))
        else:
            expanded.append(
                _VARIABLE.sub(lambda match: environment.get(match[1] or match[2], ""), word)
            )
    return expanded


def read_environment(files: NodeFiles, unit: Unit) -> dict[str, str]:
    """Read the environment of a service. ``EnvironmentFile`` overrides ``Environment``."""
    environment: dict[str, str] = {}
    for entry in unit.list_entries("Service", "Environment"):
        environment.update(_assignments(split_words(entry.value)))
    stem = unit.name.rpartition(".")[0]
    for entry in unit.list_entries("Service", "EnvironmentFile"):
        path = entry.value.removeprefix("-").replace("%N", stem).replace("%n", unit.name)
        file = files.read(path)
        if file is None:
            continue
        for line in file.text.splitlines():
            name, separator, value = line.strip().partition("=")
            if separator and name[:1] not in {"#", ";"}:
                environment[name.strip()] = " ".join(split_words(value))
    return environment


def _assignments(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    for word in words:
        name, separator, value = word.partition("=")
        if separator:
            yield name.strip(), value


def _drop_ins(files: NodeFiles, name: str) -> Iterator[NodeFile]:
    """Read the drop-ins of a unit in the order of their names, each from its first directory."""
    paths: dict[str, str] = {}
    for directory in reversed(DIRECTORIES):
        drop_ins = f"{directory}/{name}.d"
        paths |= {
            entry: f"{drop_ins}/{entry}"
            for entry in files.names(drop_ins)
            if entry.endswith(".conf")
        }
    for _, path in sorted(paths.items()):
        file = files.read(path)
        if file is not None:
            yield file


def _is_enabled(files: NodeFiles, name: str) -> bool:
    return any(
        files.link(f"{directory}/{target}/{name}") is not None
        for directory in DIRECTORIES
        for target in files.names(directory)
        if target.endswith((".wants", ".requires"))
    )


def _read_entries(file: NodeFile) -> tuple[list[Entry], list[Entry]]:
    """Read the assignments of a file, and the lines that systemd ignores."""
    entries, ignored, section = [], [], ""
    for number, line in _logical_lines(file.text):
        key, separator, value = line.partition("=")
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif separator and section and _KEY.fullmatch(key.strip()):
            entries.append(Entry(section, key.strip(), value.strip(), file.path, number))
        else:
            ignored.append(Entry(section, "", line, file.path, number))
    return entries, ignored


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Join continued lines and skip comments; yield each line with the number of its first."""
    number, joined = 0, ""
    for count, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith(("#", ";")) or not (stripped or joined):
            continue
        number = number or count
        if line.rstrip().endswith("\\"):
            joined += stripped.removesuffix("\\") + " "
            continue
        yield number, (joined + stripped).strip()
        number, joined = 0, ""
    if joined:
        yield number, joined.strip()
