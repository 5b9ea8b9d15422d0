"""Units of systemd as they lie on a node: their files, drop-ins, and what enables them.

Source: systemd.unit(5) and systemd.syntax(7). Only what is there for good is looked at: what
generators and ``systemctl set-property`` make at run time is not.
"""

import re
import shlex
from collections.abc import Iterator, Sequence

import attrs

from minreg.k3s.doctor.files import NodeFile, NodeFiles

DIRECTORIES = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
"""Where units lie; what is in an earlier one counts before what is in a later one."""

ADMINISTRATOR = DIRECTORIES[0]

_KEY = re.compile(r"[A-Z][A-Za-z0-9]*|X-.+")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)")


@attrs.frozen
class Entry:
    """An assignment, and where it stands."""

    section: str
    key: str
    value: str
    path: str
    line: int


@attrs.frozen
class Unit:
    """A unit with its drop-ins.

    ``path`` is its main file. ``entries`` are all assignments, in the order in which they
    count; ``strays`` are lines that systemd ignores because they are no assignment.
    """

    name: str
    path: str
    is_masked: bool
    is_enabled: bool
    entries: Sequence[Entry] = ()
    strays: Sequence[Entry] = ()

    def entry(self, section: str, key: str) -> Entry | None:
        """Give the last assignment to a key."""
        found = self.listed(section, key)
        return found[-1] if found else None

    def listed(self, section: str, key: str) -> list[Entry]:
        """Give the assignments to a key that takes many; an empty one takes back those before."""
        found: list[Entry] = []
        for entry in self.entries:
            if (entry.section, entry.key) == (section, key):
                found = [*found, entry] if entry.value else []
        return found

    def words(self, section: str, key: str) -> set[str]:
        """Give the names that a key lists, as ``After`` and ``Before`` do."""
        return {word for entry in self.listed(section, key) for word in entry.value.split()}

    def text(self, section: str, key: str) -> str:
        """Give the value of a key, empty if there is none."""
        entry = self.entry(section, key)
        return entry.value if entry is not None else ""


def find_unit(files: NodeFiles, name: str) -> Unit | None:
    """Find a unit; None if there is no such."""
    for directory in DIRECTORIES:
        path = f"{directory}/{name}"
        if files.link(path) == "/dev/null":
            return Unit(name, path, is_masked=True, is_enabled=False)
        main = files.read(path)
        if main is not None:
            read = [_read_entries(file) for file in (main, *_drop_ins(files, name))]
            return Unit(
                name,
                path,
                is_masked=False,
                is_enabled=_is_enabled(files, name),
                entries=[entry for entries, _ in read for entry in entries],
                strays=[entry for _, strays in read for entry in strays],
            )
    return None


def list_units(files: NodeFiles, prefix: str) -> list[str]:
    """Name the services whose name begins in some way."""
    names = {name for directory in DIRECTORIES for name in files.names(directory)}
    return sorted(n for n in names if n.startswith(prefix) and n.endswith(".service"))


def split_words(text: str) -> list[str]:
    """Take a command line apart."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def expand(words: Sequence[str], environment: dict[str, str]) -> list[str]:
    """Put variables in: ``$NAME`` alone is split into words, ``${NAME}`` is not."""
    expanded: list[str] = []
    for word in words:
        match = _VARIABLE.fullmatch(word)
        if match is not None and match[2]:
            expanded += split_words(environment.get(match[2], ""))
        else:
            expanded.append(
                _VARIABLE.sub(lambda found: environment.get(found[1] or found[2], ""), word)
            )
    return expanded


def read_environment(files: NodeFiles, unit: Unit) -> dict[str, str]:
    """Read what a service has in its environment: of files, which count last, and of its own."""
    environment: dict[str, str] = {}
    for entry in unit.listed("Service", "Environment"):
        environment.update(_assignments(split_words(entry.value)))
    stem = unit.name.rpartition(".")[0]
    for entry in unit.listed("Service", "EnvironmentFile"):
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
    """Read the drop-ins of a unit in the order of their names; the earliest directory has it."""
    places: dict[str, str] = {}
    for directory in reversed(DIRECTORIES):
        place = f"{directory}/{name}.d"
        places |= {file: place for file in files.names(place) if file.endswith(".conf")}
    for file in sorted(places):
        read = files.read(f"{places[file]}/{file}")
        if read is not None:
            yield read


def _is_enabled(files: NodeFiles, name: str) -> bool:
    return any(
        files.link(f"{directory}/{target}/{name}") is not None
        for directory in DIRECTORIES
        for target in files.names(directory)
        if target.endswith((".wants", ".requires"))
    )


def _read_entries(file: NodeFile) -> tuple[list[Entry], list[Entry]]:
    """Read the assignments of a file, and the lines that are none."""
    entries, strays, section = [], [], ""
    for number, line in _logical_lines(file.text):
        key, separator, value = line.partition("=")
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif separator and section and _KEY.fullmatch(key.strip()):
            entries.append(Entry(section, key.strip(), value.strip(), file.path, number))
        else:
            strays.append(Entry(section, "", line, file.path, number))
    return entries, strays


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Join lines that go on in the next, without comments, each with the number of its first."""
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
