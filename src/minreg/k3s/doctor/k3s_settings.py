"""Reads the settings of K3s and RKE2: their configuration files, command line and environment.

The environment has the lowest priority, then ``config.yaml``, then ``config.yaml.d/*.yaml`` in the
order of their names, then the command line. A later value replaces an earlier one; ``key+`` adds
to it. Source: K3s, ``pkg/configfilearg/parser.go``.
"""

from collections.abc import Iterator, Mapping, Sequence

import attrs
from yaml import MappingNode, Node, SequenceNode

from minreg.k3s.doctor.node_files import NodeFile, NodeFiles
from minreg.k3s.doctor.services import Distribution, Service
from minreg.k3s.yaml_reader import Diagnostic, YamlReader
from minreg.preflight.query import COMPONENTS

_FILES = (".yaml", ".yml")
_TRUE = frozenset({"1", "t", "true", "y", "yes", "on"})
_LONG_NAMES = {"d": "data-dir", "c": "config", "i": "node-ip"}
_DISABLE = "disable"
"""The setting whose values from files and command line add up."""

# Of the settings that are looked at here, those that take a value on the command line.
_WITH_VALUE = frozenset(
    {
        *("config", "container-runtime-endpoint", "data-dir", "node-ip", "pause-image"),
        *("private-registry", _DISABLE, "https-listen-port", "system-default-registry"),
    }
)


@attrs.frozen
class Setting:
    """The values of a setting, and the file and line of the last one."""

    values: tuple[str, ...]
    path: str = ""
    line: int = 0

    @property
    def text(self) -> str:
        """The last value; empty if there is none."""
        return self.values[-1] if self.values else ""

    @property
    def is_true(self) -> bool:
        """Whether the last value means true."""
        return self.text.lower() in _TRUE


@attrs.frozen
class K3sSettings:
    """All settings by their names.

    ``path`` is the path of the main configuration file, which need not exist. ``files`` are the
    configuration files that exist. ``diagnostics`` are their mistakes, each with the file's path.
    """

    path: str
    entries: Mapping[str, Setting] = attrs.field(factory=dict)
    files: Sequence[NodeFile] = ()
    diagnostics: Sequence[tuple[str, Diagnostic]] = ()

    @property
    def disabled(self) -> frozenset[str]:
        """The packaged components that are disabled."""
        values = ",".join(self.setting(_DISABLE).values)
        names = {name.strip() for name in values.split(",")}
        if self.setting("disable-helm-controller").is_true:
            names.add("helm-controller")
        return frozenset(COMPONENTS.keys() & names)

    def setting(self, name: str) -> Setting:
        """Return a setting, without values if it is not set."""
        return self.entries.get(name, Setting(()))


def read_settings(
    files: NodeFiles, distribution: Distribution, service: Service | None, *, ignored: str = ""
) -> K3sSettings:
    """Read the settings of a distribution on this node.

    Args:
        files: The files of the node.
        distribution: K3s or RKE2.
        service: Its service, None if it is not installed.
        ignored: The name of a file in ``config.yaml.d`` that is not read.
    """
    arguments = _read_command_line(service)
    environment = service.environment if service is not None else {}
    path = (
        environment.get(distribution.variable("config-file"))
        or arguments.get("config", Setting(())).text
        or f"{distribution.configuration}/config.yaml"
    )
    entries = {
        name: Setting((environment[distribution.variable(name)],), service.unit.path)
        for name in distribution.in_environment
        if service is not None and environment.get(distribution.variable(name))
    }
    diagnostics: list[tuple[str, Diagnostic]] = []
    configuration = list(_configuration_files(files, path, ignored))
    for file in configuration:
        reader = YamlReader()
        for name, setting, adds in _read_file(reader, file):
            before = entries[name].values if adds and name in entries else ()
            entries[name] = attrs.evolve(setting, values=(*before, *setting.values))
        diagnostics += [(file.path, diagnostic) for diagnostic in reader.diagnostics]
    if _DISABLE in entries and _DISABLE in arguments:
        values = (*entries[_DISABLE].values, *arguments[_DISABLE].values)
        arguments[_DISABLE] = attrs.evolve(arguments[_DISABLE], values=values)
    return K3sSettings(path, {**entries, **arguments}, configuration, diagnostics)


def _configuration_files(files: NodeFiles, path: str, ignored: str) -> Iterator[NodeFile]:
    if path.startswith(("http://", "https://")):
        files.unread[path] = "it is not on this node"
        return
    names = [name for name in files.names(f"{path}.d") if name.lower().endswith(_FILES)]
    for file_path in (path, *(f"{path}.d/{name}" for name in names if name != ignored)):
        file = files.read(file_path)
        if file is not None:
            yield file


def _read_file(reader: YamlReader, file: NodeFile) -> Iterator[tuple[str, Setting, bool]]:
    """Read the settings of a file, each with whether it adds to an earlier value."""
    root = reader.read(file.content)
    if root is None:
        return
    for key, value in reader.pairs(root, "the file"):
        name = key.text.removesuffix("+")
        values = tuple(_values(reader, value))
        setting = Setting(values, file.path, key.position.line)
        yield _LONG_NAMES.get(name, name), setting, key.text.endswith("+")


def _values(reader: YamlReader, node: Node) -> Iterator[str]:
    for item in node.value if isinstance(node, SequenceNode) else [node]:
        if not isinstance(item, MappingNode):
            value = reader.scalar(item, "a value")
            if value is not None:
                yield value.text


def _read_command_line(service: Service | None) -> dict[str, Setting]:
    """Read the options of the command line, of which later ones override earlier ones."""
    settings: dict[str, Setting] = {}
    if service is None:
        return settings
    arguments = iter(service.arguments)
    for argument in arguments:
        if not argument.startswith("-"):
            continue
        name, separator, value = argument.lstrip("-").partition("=")
        name = _LONG_NAMES.get(name, name)
        if not separator:
            value = next(arguments, "") if name in _WITH_VALUE else "true"
        before = settings[name].values if name == _DISABLE and name in settings else ()
        settings[name] = Setting((*before, value), service.start.path, service.start.line)
    return settings
