"""What K3s makes of ``registries.yaml`` for containerd: ``certs.d/<registry>/hosts.toml``.

Source: K3s, ``pkg/agent/containerd/config.go`` (``getHostConfigs``), its table of cases in
``config_test.go``, and ``pkg/spegel/registry.go`` (``InjectMirror``).
"""

from collections.abc import Mapping, Sequence

import attrs

from minreg.names import DOCKER_HUB
from minreg.node.registries.endpoints import (
    DOCKER_HUB_API,
    Endpoint,
    EndpointInvalid,
    is_local,
    parse_endpoint,
)
from minreg.node.registries.file import TLS, Config, Mirror, Registries
from minreg.node.registries.hosts_toml import HostEntry, HostsFile
from minreg.node.registries.places import Word

DEFAULT_DIRECTORY = "_default"
"""The directory that containerd looks into for registries that have none of their own."""

_WILDCARD = "*"
_NO_CONFIG = Config(Word(""))


@attrs.frozen
class Embedded:
    """K3s' embedded registry (Spegel), which ``--embedded-registry`` puts before all mirrors."""

    address: str = "127.0.0.1:6443"
    agent: str = "/var/lib/rancher/k3s/agent"

    @property
    def tls(self) -> TLS:
        """The certificates that it is spoken to with, from K3s' own directory."""
        return TLS(
            ca_file=Word(f"{self.agent}/server-ca.crt"),
            cert_file=Word(f"{self.agent}/client-k3s-controller.crt"),
            key_file=Word(f"{self.agent}/client-k3s-controller.key"),
        )


@attrs.frozen
class Ignored:
    """An endpoint or a name that K3s leaves out, and why."""

    word: Word
    reason: str


@attrs.frozen
class CertsD:
    """The directory ``certs.d``: files by the names of their directories."""

    files: Mapping[str, HostsFile]
    ignored: Sequence[Ignored] = ()


def make_certs_d(
    registries: Registries, *, without_default: bool = False, embedded: Embedded | None = None
) -> CertsD:
    """Work out what K3s would write at its next start.

    Args:
        registries: What stands in ``registries.yaml``.
        without_default: K3s is started with ``--disable-default-registry-endpoint``.
        embedded: K3s is started with ``--embedded-registry``.
    """
    maker = _Maker(registries, without_default, embedded)
    return CertsD(maker.make(), maker.ignored)


@attrs.define
class _Maker:
    _registries: Registries
    _without_default: bool
    _embedded: Embedded | None
    ignored: list[Ignored] = attrs.field(factory=list)

    def make(self) -> Mapping[str, HostsFile]:
        if self._embedded is not None:
            self._registries = _inject(self._registries, self._embedded)
        files: dict[str, HostsFile] = {}
        for name, config in self._registries.configs.items():
            default = self._default(config.name, config)
            if default is not None:
                files[_directory(name)] = HostsFile(default)
        for name, mirror in self._registries.mirrors.items():
            # A wildcard's config is looked for under its name and never found: so K3s has it.
            file = files.get(name) or self._unconfigured(mirror)
            if file is not None:
                files[_directory(name)] = self._with_endpoints(file, mirror)
        return {directory: file for directory, file in files.items() if file.is_needed}

    def _unconfigured(self, mirror: Mirror) -> HostsFile | None:
        """Start a file for a mirror that ``configs`` has nothing about."""
        default = self._default(mirror.name, self._config(mirror.name.text))
        if default is None:
            return None
        if self._without_default:
            return HostsFile(None)
        if mirror.name.text == _WILDCARD:
            return HostsFile(HostEntry(url=""))
        return HostsFile(default)

    def _with_endpoints(self, file: HostsFile, mirror: Mirror) -> HostsFile:
        default, entries, seen = file.default, list(file.endpoints), set()
        for number, word in enumerate(mirror.endpoints, start=1):
            endpoint = self._parse(word)
            if endpoint is None:
                continue
            entry = self._entry(endpoint, mirror, word)
            if entry.url in seen:
                self.ignored.append(Ignored(word, "it is there already"))
            elif number == len(mirror.endpoints) and entry.url == _url(default):
                default = entry
            else:
                entries.append(entry)
            seen.add(entry.url)
        return HostsFile(default, tuple(entries))

    def _entry(self, endpoint: Endpoint, mirror: Mirror, word: Word) -> HostEntry:
        is_embedded = self._embedded is not None and endpoint.host == self._embedded.address
        config = self._config(endpoint.registry)
        return HostEntry(
            url=str(endpoint),
            overrides_path=endpoint.overrides_path,
            rewrites=() if is_embedded else tuple(mirror.rewrites),
            auth=config.auth,
            tls=config.tls,
            source=word,
        )

    def _default(self, name: Word, config: Config) -> HostEntry | None:
        """The registry itself, to which containerd turns last."""
        endpoint = self._parse(name)
        if endpoint is None:
            return None
        url = None if name.text == _WILDCARD else str(endpoint)
        return HostEntry(url=url, auth=config.auth, tls=config.tls, source=name)

    def _config(self, name: str) -> Config:
        """Find what ``configs`` says of a registry, in the Docker Hub's case by either name."""
        configs = self._registries.configs
        if name == DOCKER_HUB and DOCKER_HUB_API in configs:
            return configs[DOCKER_HUB_API]
        return configs.get(name, _NO_CONFIG)

    def _parse(self, word: Word) -> Endpoint | None:
        try:
            return parse_endpoint(word.text, self._embedded.address if self._embedded else "")
        except EndpointInvalid as error:
            self.ignored.append(Ignored(word, str(error)))
            return None


def _inject(registries: Registries, embedded: Embedded) -> Registries:
    """Put the embedded registry before all endpoints, as K3s does."""
    url = Word(f"https://{embedded.address}/v2")
    name = Word(embedded.address)
    mirrors = {
        key: mirror if is_local(key) else attrs.evolve(mirror, endpoints=(url, *mirror.endpoints))
        for key, mirror in registries.mirrors.items()
    }
    return Registries(
        {**mirrors, embedded.address: Mirror(name, (url,))},
        {**registries.configs, embedded.address: Config(name, tls=embedded.tls)},
    )


def _url(entry: HostEntry | None) -> str:
    return (entry.url or "") if entry is not None else ""


def _directory(name: str) -> str:
    return DEFAULT_DIRECTORY if name == _WILDCARD else name
