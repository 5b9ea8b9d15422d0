"""Inspects the installation of K3s or RKE2 on a node: its files, and what it wrote."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

import attrs

from minreg.k3s.doctor.k3s_settings import K3sSettings, read_settings
from minreg.k3s.doctor.node_files import MAX_FILE_BYTES, NodeFile, NodeFiles
from minreg.k3s.doctor.services import Distribution, Service, find_service
from minreg.k3s.registries.certs_d import DEFAULT_DIRECTORY, Embedded, make_certs_d
from minreg.k3s.registries.containerd import Containerd
from minreg.k3s.registries.go_regexp import can_check_patterns
from minreg.k3s.registries.hosts_toml import Host, HostsInvalid, parse_hosts
from minreg.k3s.registries.registries_yaml import Registries, read_registries
from minreg.k3s.yaml_reader import Diagnostic
from minreg.oci.manifests import ManifestInvalid, parse_manifest
from minreg.oci.names import is_host

_BLOBS = "io.containerd.content.v1.content/blobs/sha256"


@attrs.frozen
class StoredLayers:
    """The number of layers in containerd's content store, and their total size in bytes."""

    number: int
    size: int


def inspect_layers(files: NodeFiles, directory: str) -> StoredLayers | None:
    """Add up the layers in containerd's content store.

    Blobs stay there as they were downloaded, beside the unpacked snapshots, unless
    ``discard_unpacked_layers`` is set (containerd, ``docs/content-flow.md``).

    Returns:
        None if there is no content store, or none that can be read.
    """
    blobs = f"{directory}/{_BLOBS}"
    sizes = {
        name: status.st_size
        for name in files.names(blobs)
        if (status := files.status(f"{blobs}/{name}")) is not None
    }
    if not sizes:
        return None
    small = [name for name, size in sizes.items() if size <= MAX_FILE_BYTES]
    layers = {layer for name in small for layer in _read_layers(files, f"{blobs}/{name}")}
    stored = [sizes[layer] for layer in layers if layer in sizes]
    return StoredLayers(len(stored), sum(stored))


def _read_layers(files: NodeFiles, path: str) -> list[str]:
    """List the digests of a manifest's layers; empty for a blob that is not a manifest."""
    file = files.read(path)
    if file is None or not file.content.startswith(b"{"):
        return []
    try:
        manifest = parse_manifest(file.content)
    except ManifestInvalid:
        return []
    return [layer.digest.encoded for layer in manifest.layers]


_ARCHIVES = (
    *(".tar", ".tar.lz4", ".tar.bz2", ".tbz", ".tar.gz", ".tgz"),
    *(".tar.zst", ".tzst"),
)
_MISNAMED = ("registries.yml", "registry.yaml", "registry.yml", "registries.yaml.txt")
# The files in K3s' ``server/manifests`` that deploy a component.
_COMPONENTS = {
    "coredns.yaml": "coredns",
    "local-storage.yaml": "local-storage",
    "metrics-server-deployment.yaml": "metrics-server",
    "traefik.yaml": "traefik",
}
# Files that people keep in ``certs.d``, whose names look like those of hosts.
_OTHER_FILES = frozenset(
    {
        *(".bak", ".cert", ".conf", ".cer", ".crt", ".json", ".key", ".md", ".old", ".orig"),
        *(".pem", ".toml", ".txt", ".yaml", ".yml"),
    }
)
_TEMPLATES = ("config-v3.toml.tmpl", "config.toml.tmpl")


@attrs.frozen
class Archive:
    """An archive of images that K3s imports at each start. ``size`` is in bytes."""

    path: str
    size: int


@attrs.frozen
class K3sInstallation:
    """K3s or RKE2 on a node.

    Attributes:
        data: The directory of its state.
        registries_path: The path of its ``registries.yaml``.
        registries_file: That file; None if it does not exist or cannot be read.
        registries: The content of that file.
        diagnostics: The mistakes in that file.
        misplaced: Files that people confuse with ``registries.yaml``.
        hosts: The ``hosts.toml`` texts in ``certs.d``, by the names of their directories.
        containerd_config: The ``config.toml`` that was written at the last start.
        templates: Templates that replace K3s' own template for it.
        drop_ins: Files that containerd imports in addition.
        archives: Archives of images that are imported at each start.
        lists: Lists of images that are pulled at each start.
        has_import_cache: Whether unchanged archives are not imported again.
        layers: The layers that containerd keeps; None if they cannot be read.
        certificates: The certificates and keys that ``registries.yaml`` and hand-written
            ``hosts.toml`` files name, by their paths: None if a file does not exist, no entry if
            it cannot be read.
        hidden: The configuration files that exist and cannot be read.
        has_run: Whether it has been started before.
        skipped: The components that are not deployed because of a ``.skip`` file.
        certificate_directories: The paths among those of certificates that are directories.
        misplaced_hosts: The names in ``certs.d`` that should be directories, and are files.
    """

    distribution: Distribution
    service: Service | None
    settings: K3sSettings
    data: str
    registries_path: str
    registries_file: NodeFile | None = None
    registries: Registries = attrs.field(factory=Registries)
    diagnostics: Sequence[Diagnostic] = ()
    misplaced: Sequence[NodeFile] = ()
    hosts: Mapping[str, str] = attrs.field(factory=dict)
    containerd_config: NodeFile | None = None
    templates: Sequence[NodeFile] = ()
    drop_ins: Sequence[NodeFile] = ()
    archives: Sequence[Archive] = ()
    lists: Sequence[NodeFile] = ()
    has_import_cache: bool = False
    layers: StoredLayers | None = None
    certificates: Mapping[str, NodeFile | None] = attrs.field(factory=dict)
    hidden: Sequence[str] = ()
    has_run: bool = False
    skipped: frozenset[str] = frozenset()
    certificate_directories: frozenset[str] = frozenset()
    misplaced_hosts: Sequence[str] = ()

    @property
    def certs_d(self) -> str:
        """The directory of the ``hosts.toml`` files."""
        return _certs_d(self.data)

    @property
    def is_agent(self) -> bool:
        """Whether this is an agent, whose server has the settings of the cluster."""
        return self.service is not None and self.service.is_agent

    @property
    def is_known(self) -> bool:
        """Whether its whole configuration was read, and is valid."""
        diagnostics = [*self.diagnostics, *(item for _, item in self.settings.diagnostics)]
        return not self.hidden and not any(diagnostic.is_fatal for diagnostic in diagnostics)

    @property
    def has_embedded_registry(self) -> bool:
        """Whether K3s' embedded registry is enabled; false for agents, where that is not known."""
        return not self.is_agent and self.settings.setting("embedded-registry").is_true

    @property
    def is_applied(self) -> bool:
        """Whether the generated ``hosts.toml`` files are those that K3s would write now."""
        files = self.containerd().files
        present = [_body(text) for text in self.hosts.values() if is_generated(text)]
        expected = [_body(text) for text in files.values() if is_generated(text)]
        return set(self.hosts) == set(files) and sorted(present) == sorted(expected)

    def containerd(self) -> Containerd:
        """Return containerd with the ``certs.d`` that it will have after the next start of K3s."""
        certs_d = make_certs_d(
            self.registries,
            without_default=self.settings.setting("disable-default-registry-endpoint").is_true,
            embedded=Embedded(agent=f"{self.data}/agent") if self.has_embedded_registry else None,
        )
        generated = {name: file.render() for name, file in certs_d.files.items()}
        return Containerd({**select_manual(self.hosts), **generated})


def is_generated(text: str) -> bool:
    """Return whether a ``hosts.toml`` was written by K3s or RKE2, which will replace it."""
    return text.startswith("# File generated by ")


def select_manual(hosts: Mapping[str, str]) -> Mapping[str, str]:
    """Return the ``hosts.toml`` texts that K3s did not write."""
    return {name: text for name, text in hosts.items() if not is_generated(text)}


def list_tls_paths(directory: str, host: Host) -> Iterator[str]:
    """Yield the paths of the certificates and keys of a host in a ``hosts.toml``.

    Args:
        directory: The directory of the file, which relative paths are relative to
            (``makeAbsPath`` in containerd, ``core/remotes/docker/config/hosts.go``).
        host: The host.
    """
    for path in (*host.ca_files, *(path for pair in host.client_pairs for path in pair)):
        yield os.path.join(directory, path)


def inspect_installation(files: NodeFiles, distribution: Distribution) -> K3sInstallation | None:
    """Inspect a distribution; None if the node has nothing of it."""
    service = find_service(files, distribution)
    settings = read_settings(files, distribution, service)
    data = settings.setting("data-dir").text or distribution.data
    if service is None and not any(map(files.is_directory, (distribution.configuration, data))):
        return None
    path = settings.setting("private-registry").text
    path = path or f"{distribution.configuration}/registries.yaml"
    file, registries, diagnostics = _read_registries_file(files, path)
    images, containerd = f"{data}/agent/images", f"{data}/agent/etc/containerd"
    hosts = _read_hosts(files, _certs_d(data))
    paths = [*_list_certificates(registries), *_list_manual_certificates(_certs_d(data), hosts)]
    certificates, directories = _read_certificates(files, paths)
    names = [f"{images}/{name}" for name in files.names(images)]
    return K3sInstallation(
        distribution,
        service,
        settings,
        data,
        path,
        file,
        registries,
        diagnostics,
        list(_find_misplaced(files, distribution, data)),
        hosts,
        files.read(f"{containerd}/config.toml"),
        [file for name in _TEMPLATES if (file := files.read(f"{containerd}/{name}"))],
        list(_read_drop_ins(files, containerd)),
        _find_archives(files, names),
        [file for name in names if name.endswith(".txt") and (file := files.read(name))],
        files.is_file(f"{images}/.cache.json"),
        inspect_layers(files, f"{data}/agent/containerd"),
        certificates,
        _find_hidden(files, path, settings.path),
        files.is_directory(f"{data}/agent"),
        _find_skipped(files, f"{data}/server/manifests"),
        directories,
        _find_misplaced_hosts(files, _certs_d(data)),
    )


def _read_registries_file(
    files: NodeFiles, path: str
) -> tuple[NodeFile | None, Registries, Sequence[Diagnostic]]:
    """Read ``registries.yaml``, and note if its rewrites cannot be checked."""
    file = files.read(path)
    registries, diagnostics = read_registries(file.content) if file else (Registries(), ())
    if not can_check_patterns() and any(mirror.rewrites for mirror in registries.mirrors.values()):
        files.unread[f"rewrites in {path}"] = "google-re2 is not installed"
    return file, registries, diagnostics


def _find_hidden(files: NodeFiles, registries: str, settings: str) -> Sequence[str]:
    """List the configuration files that exist and could not be read."""
    drop_ins = f"{settings}.d"
    return [
        path
        for path in sorted(files.unread)
        if path in {registries, settings, drop_ins} or path.startswith(f"{drop_ins}/")
    ]


def _find_misplaced(files: NodeFiles, distribution: Distribution, data: str) -> Iterator[NodeFile]:
    """Read the files that people confuse with ``registries.yaml``."""
    for path in (
        *(f"{distribution.configuration}/{name}" for name in _MISNAMED),
        f"{data}/server/manifests/registries.yaml",
    ):
        file = files.read(path)
        if file is not None:
            yield file


def _read_hosts(files: NodeFiles, directory: str) -> Mapping[str, str]:
    return {
        name: file.text
        for name in files.names(directory)
        if (file := files.read(f"{directory}/{name}/hosts.toml")) is not None
    }


def _read_drop_ins(files: NodeFiles, directory: str) -> Iterator[NodeFile]:
    """Read the files that containerd imports, since K3s has it do so (k3s-io/k3s#13680)."""
    for drop_ins in (f"{directory}/config-v3.toml.d", f"{directory}/config.toml.d"):
        for name in files.names(drop_ins):
            file = files.read(f"{drop_ins}/{name}") if name.endswith(".toml") else None
            if file is not None:
                yield file


def _find_misplaced_hosts(files: NodeFiles, directory: str) -> Sequence[str]:
    """List the files in ``certs.d`` with the name of a directory, which is that of a host."""
    return [
        name
        for name in files.names(directory)
        if (name == DEFAULT_DIRECTORY or is_host(name))
        and os.path.splitext(name)[1].lower() not in _OTHER_FILES
        and files.is_file(f"{directory}/{name}")
    ]


def _list_certificates(registries: Registries) -> Iterator[str]:
    for config in registries.configs.values():
        tls = config.tls
        paths = (tls.ca_file, tls.cert_file, tls.key_file) if tls is not None else ()
        yield from (path.text for path in paths if path.text)


def _list_manual_certificates(directory: str, hosts: Mapping[str, str]) -> Iterator[str]:
    for name, text in select_manual(hosts).items():
        with suppress(HostsInvalid):
            for host in parse_hosts(text, name, is_of_k3s=True):
                yield from list_tls_paths(f"{directory}/{name}", host)


def _read_certificates(
    files: NodeFiles, paths: Iterable[str]
) -> tuple[Mapping[str, NodeFile | None], frozenset[str]]:
    """Read certificates and keys; return them by their paths, and the paths of directories."""
    certificates: dict[str, NodeFile | None] = {}
    directories: set[str] = set()
    for path in dict.fromkeys(paths):
        if files.is_directory(path):
            directories.add(path)
            continue
        file = files.read(path)
        if path not in files.unread:
            certificates[path] = file
    return certificates, frozenset(directories)


def _find_archives(files: NodeFiles, paths: Sequence[str]) -> Sequence[Archive]:
    archives = []
    for path in paths:
        status = files.status(path) if path.lower().endswith(_ARCHIVES) else None
        if status is not None and files.is_file(path):
            archives.append(Archive(path, status.st_size))
    return archives


def _find_skipped(files: NodeFiles, directory: str) -> frozenset[str]:
    """Find the components that are not deployed because of a file such as ``coredns.yaml.skip``.

    Source: K3s, ``shouldSkipFile`` in ``pkg/deploy/controller.go``. K3s applies a ``.skip`` file
    in any directory to all manifests of that name; here only its own directory is searched.
    """
    names = set(files.names(directory))
    if "metrics-server" in names:
        names.update(files.names(f"{directory}/metrics-server"))
    skipped = (component for file, component in _COMPONENTS.items() if f"{file}.skip" in names)
    return frozenset(skipped)


def _certs_d(data: str) -> str:
    return f"{data}/agent/etc/containerd/certs.d"


def _body(text: str) -> str:
    """Return a text without its first line, which has the distribution's name."""
    return text.partition("\n")[2]
