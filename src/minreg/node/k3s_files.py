"""The files that have K3s or RKE2 pull from minreg: ``registries.yaml`` and two settings.

They are read by the reader of ``minreg doctor``, and what is missing in a ``registries.yaml`` is
added by the code of ``minreg registries``. What an operator has set is never changed.

The settings have a file of their own in ``config.yaml.d``, which K3s reads after ``config.yaml``:
of two values the later one counts, so that whatever is set elsewhere is left out of ours (K3s,
``pkg/configfilearg/parser.go``).
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
# What has {title} pull its own images from minreg, and not ask a registry on the network when
# minreg lacks one. It reads this when it starts, after config.yaml.
"""


@attrs.frozen
class K3sFiles:
    """Where a distribution on a node reads its settings, and what else is set there.

    ``registries_path`` is its ``registries.yaml`` and ``settings_path`` minreg's own file of
    settings. ``others`` are all settings but those of that file, ``diagnostics`` the mistakes in
    the files that have them, and ``unread`` the files that cannot be read, with the reason.
    ``misnamed`` are files that were meant to be a ``registries.yaml`` and are not read.
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
        """Make the ``registries.yaml`` of a node that has none."""
        return ManagedFile(self.registries_path, render(make_document(addresses)))

    def make_settings(self) -> ManagedFile:
        """Make the file of those settings that stand nowhere else; its text may be empty."""
        lines = [
            f"{name}: {value}\n"
            for name, value in self._wanted().items()
            if not self.others.get(name, _UNSET).values
        ]
        text = _HEADING.format(title=self.distribution.title) + "".join(lines) if lines else ""
        return ManagedFile(self.settings_path, text)

    def differing(self) -> Iterator[tuple[str, Setting, str]]:
        """Give each setting that the operator has set to something else than minreg would.

        Returns:
            The name of the setting, what it is set to, and what minreg would set it to.
        """
        for name, value in self._wanted().items():
            setting = self.others.get(name, _UNSET)
            is_same = setting.is_true if name == _NO_DEFAULT else setting.text == value
            if setting.values and not is_same:
                yield name, setting, value

    def _wanted(self) -> Mapping[str, str]:
        """Name the settings: a K3s agent has the registry from its server.

        An agent of K3s does not start if it is told of a registry itself: "flag provided but not
        defined: -system-default-registry" (rancher/rancher#45607).
        """
        wanted = {SYSTEM_REGISTRY: MIRROR_NAME, _NO_DEFAULT: "true"}
        if self.is_agent:
            del wanted[SYSTEM_REGISTRY]
        return wanted


def find_k3s_files(
    files: NodeFiles, distribution: Distribution, *, is_agent: bool | None = None
) -> K3sFiles:
    """Find the files of a distribution, which need not be installed yet.

    Args:
        files: The files of the node.
        distribution: K3s or RKE2.
        is_agent: Whether the node is going to be an agent, None if that was not said: then what
            it was set up for before counts. Once there is a service, what that runs counts.
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
    named = (files.read(f"{distribution.configuration}/{name}") for name in _MISNAMED)
    misnamed = [file for file in named if file is not None]
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
    """Name the settings of a file that minreg has written."""
    return {line.partition(":")[0] for line in file.text.splitlines()}


def make_document(addresses: Sequence[Address]) -> Document:
    """Make what a ``registries.yaml`` has to say at least.

    Args:
        addresses: Where minreg listens; the first that this node alone reaches is taken.
    """
    local = [address for address in addresses if not address.host or is_local(address.host)]
    first = next(iter([*local, *addresses]), _DEFAULT_ADDRESS)
    return make_mirrors([MIRROR_NAME], [first.url])


def is_mirrored(registries: Registries, addresses: Sequence[Address]) -> bool:
    """Return whether K3s' own images are looked for at minreg.

    Args:
        registries: What a ``registries.yaml`` says.
        addresses: Where minreg listens.
    """
    mirror = registries.mirrors.get(MIRROR_NAME) or registries.mirrors.get(WILDCARD)
    endpoints = mirror.endpoints if mirror is not None else ()
    return any(_leads_to(word, addresses or [_DEFAULT_ADDRESS]) for word in endpoints)


def _leads_to(word: Located, addresses: Sequence[Address]) -> bool:
    try:
        endpoint = parse_endpoint(word.text)
    except EndpointInvalid:
        return False
    return not endpoint.overrides_path and any(
        address.is_reached_by(endpoint.host)
        and endpoint.scheme == ("https" if address.is_tls else "http")
        for address in addresses
    )
