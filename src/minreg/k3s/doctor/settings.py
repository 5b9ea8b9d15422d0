"""What K3s and RKE2 are told: their configuration files, command line and environment.

Source: K3s, ``pkg/configfilearg/parser.go``. ``config.yaml`` comes first, then
``config.yaml.d/*.yaml`` in the order of their names; later ones replace earlier ones, and
``key+`` adds to them; what the command line says counts more, and the environment least.
"""

from collections.abc import Iterator, Mapping, Sequence

import attrs
from yaml import MappingNode, Node, SequenceNode

from minreg.k3s.doctor.files import NodeFile, NodeFiles
from minreg.k3s.doctor.services import Distribution, Service
from minreg.k3s.yaml_reader import Diagnostic, YamlReader
from minreg.preflight.query import COMPONENTS

_FILES = (".yaml", ".yml")
_TRUE = frozenset({"1", "t", "true", "y", "yes", "on"})
_LONG = {"d": "data-dir", "c": "config", "i": "node-ip"}
_DISABLE = "disable"
"""What is left out, be it said in one place or in several."""

# Of the settings that are looked at here, those that take a value on the command line.
_WITH_VALUE = frozenset(
    {
        *("config", "container-runtime-endpoint", "data-dir", "node-ip", "pause-image"),
        *("private-registry", _DISABLE, "https-listen-port", "system-default-registry"),
    }
)


@attrs.frozen
class Setting:
    """What a setting was set to, and where that was done last."""

    values: tuple[str, ...]
    path: str = ""
    line: int = 0

    @property
    def text(self) -> str:
        """The value of a setting that has one."""
        return self.values[-1] if self.values else ""

    @property
    def is_true(self) -> bool:
        """Whether it is switched on."""
        return self.text.lower() in _TRUE


@attrs.frozen
class K3sSettings:
    """All settings, by their names.

    ``path`` is the configuration file, which need not be there; ``files`` are those that are
    there, and ``problems`` what is wrong with them, each with the file's path.
    """

    path: str
    entries: Mapping[str, Setting] = attrs.field(factory=dict)
    files: Sequence[NodeFile] = ()
    problems: Sequence[tuple[str, Diagnostic]] = ()

    @property
    def disabled(self) -> frozenset[str]:
        """The components that the distribution brings along and was told to leave out."""
        values = ",".join(self.setting(_DISABLE).values)
        named = {name.strip() for name in values.split(",")}
        if self.setting("disable-helm-controller").is_true:
            named.add("helm-controller")
        return frozenset(COMPONENTS.keys() & named)

    def setting(self, name: str) -> Setting:
        """Give a setting; one that is not set has no value."""
        return self.entries.get(name, Setting(()))


def read_settings(
    files: NodeFiles, distribution: Distribution, service: Service | None
) -> K3sSettings:
    """Read all that a distribution is told on this node."""
    given = _read_command(service)
    environment = service.environment if service is not None else {}
    path = (
        environment.get(distribution.variable("config-file"))
        or given.get("config", Setting(())).text
        or f"{distribution.configuration}/config.yaml"
    )
    entries = {
        name: Setting((environment[distribution.variable(name)],), service.unit.path)
        for name in distribution.in_environment
        if service is not None and environment.get(distribution.variable(name))
    }
    problems: list[tuple[str, Diagnostic]] = []
    read = list(_configuration_files(files, path))
    for file in read:
        reader = YamlReader()
        for name, setting, adds in _read_file(reader, file):
            before = entries[name].values if adds and name in entries else ()
            entries[name] = attrs.evolve(setting, values=(*before, *setting.values))
        problems += [(file.path, problem) for problem in reader.diagnostics]
    if _DISABLE in entries and _DISABLE in given:
        several = (*entries[_DISABLE].values, *given[_DISABLE].values)
        given[_DISABLE] = attrs.evolve(given[_DISABLE], values=several)
    return K3sSettings(path, {**entries, **given}, read, problems)


def _configuration_files(files: NodeFiles, path: str) -> Iterator[NodeFile]:
    if path.startswith(("http://", "https://")):
        files.unread[path] = "it is elsewhere"
        return
    names = [name for name in files.names(f"{path}.d") if name.lower().endswith(_FILES)]
    for place in (path, *(f"{path}.d/{name}" for name in names)):
        file = files.read(place)
        if file is not None:
            yield file


def _read_file(reader: YamlReader, file: NodeFile) -> Iterator[tuple[str, Setting, bool]]:
    """Read the settings of a file, each with whether it adds to what was set before."""
    root = reader.read(file.content)
    if root is None:
        return
    for key, value in reader.pairs(root, "the file"):
        name = key.text.removesuffix("+")
        values = tuple(_values(reader, value))
        setting = Setting(values, file.path, key.position.line)
        yield _LONG.get(name, name), setting, key.text.endswith("+")


def _values(reader: YamlReader, node: Node) -> Iterator[str]:
    for item in node.value if isinstance(node, SequenceNode) else [node]:
        if not isinstance(item, MappingNode):
            word = reader.scalar(item, "a value")
            if word is not None:
                yield word.text


def _read_command(service: Service | None) -> dict[str, Setting]:
    """Read the command line, where what comes later counts."""
    given: dict[str, Setting] = {}
    if service is None:
        return given
    words = iter(service.words)
    for word in words:
        if not word.startswith("-"):
            continue
        name, separator, value = word.lstrip("-").partition("=")
        name = _LONG.get(name, name)
        if not separator:
            value = next(words, "") if name in _WITH_VALUE else "true"
        before = given[name].values if name == _DISABLE and name in given else ()
        given[name] = Setting((*before, value), service.start.path, service.start.line)
    return given
