"""The files that have K3s or RKE2 pull from minreg: ``registries.yaml`` and two settings.

What the operator has set is never changed. The two settings are in a file of their own in
``config.yaml.d``, which K3s reads after ``config.yaml``. A later value overrides an earlier one:
a setting that is also in another file is left out of this one. Source: K3s,
``pkg/configfilearg/parser.go``.
"""

from collections.abc import Iterator, Mapping, Sequence

import attrs

from minreg.defaults import DEFAULT_INTERFACE, DEFAULT_PORT, MIRROR_NAME, WILDCARD
from minreg.k3s.doctor.k3s_settings import Setting, read_settings
from minreg.k3s.doctor.node_files import NodeFile, NodeFiles
from minreg.k3s.doctor.registry_service import Address
from minreg.k3s.doctor.services import Distribution, find_service
from minreg.k3s.registries.mirror_endpoints import EndpointInvalid, is_local, parse_endpoint
from minreg.k3s.registries.registries_yaml import Registries
from minreg.k3s.registries.yaml_writer import Document, make_mirrors, render
from minreg.k3s.yaml_reader import Diagnostic, Located
from minreg.node.managed_files import ManagedFile

SYSTEM_REGISTRY = "system-default-registry"
_NO_DEFAULT = "disable-default-registry-endpoint"
_SETTINGS_NAME = "10-minreg.yaml"
_MISNAMED = ("registries.yml", "registry.yaml", "registry.yml")
_UNSET = Setting(())
_DEFAULT_ADDRESS = Address(DEFAULT_INTERFACE, str(DEFAULT_PORT))
_HEADING = """\
# {title} pulls its system images from minreg, and never from a registry on the network.
# It reads this file when it starts, after config.yaml.
"""


@attrs.frozen
class K3sFiles:
    """The configuration files of a distribution on a node, and what the operator has set there.

    ``registries_path`` is its ``registries.yaml`` and ``settings_path`` minreg's own file of
    settings. ``others`` are all settings but those of that file, ``diagnostics`` the mistakes in
    the files that have them, and ``unread`` the files that cannot be read, with the reason.
    ``misnamed`` are files such as ``registries.yml``, which K3s does not read.
    """

    distribution: Distribution
    is_agent: bool
    registries_path: str
    settings_path: str
    others: Mapping[str, Setting]
    diagnostics: Sequence[tuple[str, Diagnostic]] = ()
    unread: Mapping[str, str] = attrs.field(factory=dict)
    misnamed: Sequence[NodeFile] = ()

    def make_registries(self, addresses: Sequence[Address]) -> ManagedFile:
        """Return the ``registries.yaml`` for a node that has none."""
        return ManagedFile(self.registries_path, render(make_document(addresses)))

    def make_settings(self) -> ManagedFile:
        """Return the file of the settings that no other file has; its text may be empty."""
        lines = [
            f"{name}: {value}\n"
            for name, value in self._settings().items()
            if not self.others.get(name, _UNSET).values
        ]
        text = _HEADING.format(title=self.distribution.title) + "".join(lines) if lines else ""
        return ManagedFile(self.settings_path, text)

    def differing(self) -> Iterator[tuple[str, Setting, str]]:
        """Iterate over the settings that the operator has set to other values than minreg's.

        Yields:
            The name of the setting, the setting in the operator's file, and minreg's value.
        """
        for name, value in self._settings().items():
            setting = self.others.get(name, _UNSET)
            is_same = setting.is_true if name == _NO_DEFAULT else setting.text == value
            if setting.values and not is_same:
                yield name, setting, value

    def _settings(self) -> Mapping[str, str]:
        """Return minreg's settings and their values.

        An agent gets the registry from its server. A K3s agent that has the setting itself does
        not start: "flag provided but not defined: -system-default-registry"
        (rancher/rancher#45607).
        """
        settings = {SYSTEM_REGISTRY: MIRROR_NAME, _NO_DEFAULT: "true"}
        if self.is_agent:
            del settings[SYSTEM_REGISTRY]
        return settings


def find_k3s_files(
    files: NodeFiles, distribution: Distribution, *, is_agent: bool | None = None
) -> K3sFiles:
    """Find the files of a distribution, which need not be installed yet.

    Args:
        files: The files of the node.
        distribution: K3s or RKE2.
        is_agent: Whether the node will be an agent, None if that is unknown. It is then what an
            earlier run was told. If the distribution is installed, its service decides.
    """
    service = find_service(files, distribution)
    settings = read_settings(files, distribution, service, ignored=_SETTINGS_NAME)
    directory = f"{settings.path}.d"
    registries = settings.setting("private-registry").text
    own = files.read(f"{directory}/{_SETTINGS_NAME}")
    if service is not None:
        is_agent = service.is_agent
    elif is_agent is None:
        is_agent = own is not None and SYSTEM_REGISTRY not in {*settings.entries, *_keys(own)}
    candidates = (files.read(f"{distribution.configuration}/{name}") for name in _MISNAMED)
    misnamed = [file for file in candidates if file is not None]
    return K3sFiles(
        distribution,
        is_agent,
        registries or f"{distribution.configuration}/registries.yaml",
        f"{directory}/{_SETTINGS_NAME}",
        settings.entries,
        settings.diagnostics,
        {
            path: reason
            for path, reason in files.unread.items()
            if path in {settings.path, directory} or path.startswith(f"{directory}/")
        },
        misnamed,
    )


def _keys(file: NodeFile) -> set[str]:
    """Return the names of the settings in a file that minreg has written."""
    return {line.partition(":")[0] for line in file.text.splitlines()}


def make_document(addresses: Sequence[Address]) -> Document:
    """Make a ``registries.yaml`` with the mirror for K3s' system images.

    Args:
        addresses: The addresses that minreg listens on. The first one on the loopback interface is
            preferred; without any address, it is the default one.
    """
    local = [address for address in addresses if not address.host or is_local(address.host)]
    address = next(iter([*local, *addresses]), _DEFAULT_ADDRESS)
    return make_mirrors([MIRROR_NAME], [address.url])


def is_mirrored(registries: Registries, addresses: Sequence[Address]) -> bool:
    """Return whether K3s pulls its system images from minreg.

    Args:
        registries: The content of a ``registries.yaml``.
        addresses: The addresses that minreg listens on.
    """
    mirror = registries.mirrors.get(MIRROR_NAME) or registries.mirrors.get(WILDCARD)
    endpoints = mirror.endpoints if mirror is not None else ()
    return any(_leads_to(located, addresses or [_DEFAULT_ADDRESS]) for located in endpoints)


def _leads_to(located: Located, addresses: Sequence[Address]) -> bool:
    try:
        endpoint = parse_endpoint(located.text)
    except EndpointInvalid:
        return False
    return not endpoint.overrides_path and any(
        address.is_reached_by(endpoint.host)
        and endpoint.scheme == ("https" if address.is_tls else "http")
        for address in addresses
    )
