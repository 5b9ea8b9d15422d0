"""What containerd keeps of layers that it has unpacked, and need not keep.

Source: containerd, ``docs/content-flow.md``: blobs lie as they came in the content store, layers
unpacked among the snapshots. ``discard_unpacked_layers`` lets go of the former.
"""

from collections.abc import Iterator, Mapping, Sequence

import attrs

from minreg.k3s.doctor.files import MOST_BYTES, NodeFile, NodeFiles
from minreg.k3s.doctor.services import Distribution, Service, find_service
from minreg.k3s.doctor.settings import K3sSettings, read_settings
from minreg.k3s.registries.certs_d import Embedded, make_certs_d
from minreg.k3s.registries.containerd import Containerd
from minreg.k3s.registries.go_regexp import can_check_patterns
from minreg.k3s.registries.registries_yaml import Registries, read_registries
from minreg.k3s.yaml_reader import Diagnostic
from minreg.oci.manifests import ManifestInvalid, parse_manifest

_BLOBS = "io.containerd.content.v1.content/blobs/sha256"


@attrs.frozen
class StoredLayers:
    """The layers in a content store: how many, and their bytes."""

    number: int
    size: int


def inspect_layers(files: NodeFiles, directory: str) -> StoredLayers | None:
    """Add up the layers in containerd's content store.

    Returns:
        None if there is no content store, or nothing of it can be read.
    """
    blobs = f"{directory}/{_BLOBS}"
    sizes = {
        name: status.st_size
        for name in files.names(blobs)
        if (status := files.status(f"{blobs}/{name}")) is not None
    }
    if not sizes:
        return None
    small = [name for name, size in sizes.items() if size <= MOST_BYTES]
    layers = {layer for name in small for layer in _read_layers(files, f"{blobs}/{name}")}
    stored = [sizes[layer] for layer in layers if layer in sizes]
    return StoredLayers(len(stored), sum(stored))


def _read_layers(files: NodeFiles, path: str) -> list[str]:
    """Name the layers that a manifest lists; a blob that is none lists nothing."""
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
# In K3s' ``manifests/``, what has the images of a component.
_COMPONENTS = {
    "coredns.yaml": "coredns",
    "local-storage.yaml": "local-storage",
    "metrics-server-deployment.yaml": "metrics-server",
    "traefik.yaml": "traefik",
}
_TEMPLATES = ("config-v3.toml.tmpl", "config.toml.tmpl")


@attrs.frozen
class Archive:
    """An archive of images that is imported at each start; ``size`` in bytes."""

    path: str
    size: int


@attrs.frozen
class K3sInstallation:
    """What there is of a distribution on a node.

    ``data`` is the directory of its state. ``registries_file`` is None if there is none, or
    none that can be read; ``registries`` is what it says, ``problems`` what is wrong with it,
    and ``misplaced`` are files that were meant to be it. ``certificates`` are the files that it
    names, None where there is none; those that cannot be read are left out.

    ``hosts`` are the texts of ``hosts.toml`` that are there, by their directories.
    ``containerd_config`` is what was written for containerd at the last start, ``templates``
    what people put in the place of K3s' own template, and ``drop_ins`` what they have
    containerd read beside. ``layers`` are those that containerd keeps.

    ``archives`` are imported at each start, but for unchanged ones if there is an import cache;
    ``lists`` name images that are pulled then. ``hidden`` are the files of all that K3s is told
    that could not be read, and ``has_run`` says that it has left something behind. ``skipped``
    are the components that it does not deploy because of a file that says so.
    """

    distribution: Distribution
    service: Service | None
    settings: K3sSettings
    data: str
    registries_path: str
    registries_file: NodeFile | None = None
    registries: Registries = attrs.field(factory=Registries)
    problems: Sequence[Diagnostic] = ()
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

    @property
    def is_agent(self) -> bool:
        """Whether the settings of the cluster are those of a server elsewhere."""
        return self.service is not None and self.service.is_agent

    @property
    def is_known(self) -> bool:
        """Whether all that it is told can be read: by the distribution itself, and was here."""
        problems = [*self.problems, *(problem for _, problem in self.settings.problems)]
        return not self.hidden and not any(problem.is_fatal for problem in problems)

    @property
    def has_embedded_registry(self) -> bool:
        """Whether K3s' embedded registry comes before all mirrors, as far as can be seen here."""
        return not self.is_agent and self.settings.setting("embedded-registry").is_true

    @property
    def is_applied(self) -> bool:
        """Whether what K3s has written is what it would write now."""
        files = self.containerd().files
        present = [text for text in self.hosts.values() if is_generated(text)]
        due = [text for text in files.values() if is_generated(text)]
        return set(self.hosts) == set(files) and sorted(map(_body, present)) == sorted(
            map(_body, due)
        )

    def containerd(self) -> Containerd:
        """Work out containerd's settings as they will be from the next start on."""
        made = make_certs_d(
            self.registries,
            without_default=self.settings.setting("disable-default-registry-endpoint").is_true,
            embedded=Embedded(agent=f"{self.data}/agent") if self.has_embedded_registry else None,
        )
        written = {name: file.render() for name, file in made.files.items()}
        by_hand = {name: text for name, text in self.hosts.items() if not is_generated(text)}
        return Containerd({**by_hand, **written})


def is_generated(text: str) -> bool:
    """Tell whether K3s or RKE2 has written a ``hosts.toml``, and will replace it."""
    return text.startswith("# File generated by ")


def inspect_installation(files: NodeFiles, distribution: Distribution) -> K3sInstallation | None:
    """Look at a distribution; None if there is nothing of it."""
    service = find_service(files, distribution)
    settings = read_settings(files, distribution, service)
    data = settings.setting("data-dir").text or distribution.data
    if service is None and not any(map(files.is_directory, (distribution.configuration, data))):
        return None
    path = settings.setting("private-registry").text
    path = path or f"{distribution.configuration}/registries.yaml"
    file = files.read(path)
    registries, problems = read_registries(file.content) if file else (Registries(), ())
    told, drop_ins = {path, settings.path, f"{settings.path}.d"}, f"{settings.path}.d/"
    if not can_check_patterns() and any(one.rewrites for one in registries.mirrors.values()):
        files.unread[f"rewrites in {path}"] = "google-re2 is not installed"
    images, containerd = f"{data}/agent/images", f"{data}/agent/etc/containerd"
    names = [f"{images}/{name}" for name in files.names(images)]
    return K3sInstallation(
        distribution,
        service,
        settings,
        data,
        path,
        file,
        registries,
        problems,
        list(_find_misplaced(files, distribution, data)),
        _read_hosts(files, f"{containerd}/certs.d"),
        files.read(f"{containerd}/config.toml"),
        [file for name in _TEMPLATES if (file := files.read(f"{containerd}/{name}"))],
        list(_read_drop_ins(files, containerd)),
        _find_archives(files, names),
        [file for name in names if name.endswith(".txt") and (file := files.read(name))],
        files.is_file(f"{images}/.cache.json"),
        inspect_layers(files, f"{data}/agent/containerd"),
        _read_certificates(files, registries),
        [one for one in sorted(files.unread) if one in told or one.startswith(drop_ins)],
        files.is_directory(f"{data}/agent"),
        _find_skipped(files, f"{data}/server/manifests"),
    )


def _find_misplaced(files: NodeFiles, distribution: Distribution, data: str) -> Iterator[NodeFile]:
    """Find files that people take for the one that is read."""
    for path in (
        *(f"{distribution.configuration}/{name}" for name in _MISNAMED),
        f"{data}/server/manifests/registries.yaml",
    ):
        file = files.read(path)
        if file is not None:
            yield file


def _read_hosts(files: NodeFiles, directory: str) -> Mapping[str, str]:
    read = (
        (name, files.read(f"{directory}/{name}/hosts.toml")) for name in files.names(directory)
    )
    return {name: file.text for name, file in read if file is not None}


def _read_drop_ins(files: NodeFiles, directory: str) -> Iterator[NodeFile]:
    """Read what containerd imports, where K3s has it import anything (k3s-io/k3s#13680)."""
    for place in (f"{directory}/config-v3.toml.d", f"{directory}/config.toml.d"):
        for name in files.names(place):
            file = files.read(f"{place}/{name}") if name.endswith(".toml") else None
            if file is not None:
                yield file


def _read_certificates(files: NodeFiles, registries: Registries) -> Mapping[str, NodeFile | None]:
    read = {}
    for config in registries.configs.values():
        tls = config.tls
        words = (tls.ca_file, tls.cert_file, tls.key_file) if tls is not None else ()
        for path in (word.text for word in words if word.text):
            file = files.read(path)
            if path not in files.unread:
                read[path] = file
    return read


def _find_archives(files: NodeFiles, paths: Sequence[str]) -> Sequence[Archive]:
    found = []
    for path in paths:
        status = files.status(path) if path.lower().endswith(_ARCHIVES) else None
        if status is not None and files.is_file(path):
            found.append(Archive(path, status.st_size))
    return found


def _find_skipped(files: NodeFiles, directory: str) -> frozenset[str]:
    """Find the components whose manifests K3s passes over (``shouldSkipFile`` in ``pkg/deploy``).

    There ``NAME.skip`` is for each file called NAME; it is looked for where K3s' own lie.
    """
    names = set(files.names(directory))
    if "metrics-server" in names:
        names.update(files.names(f"{directory}/metrics-server"))
    skipped = (component for file, component in _COMPONENTS.items() if f"{file}.skip" in names)
    return frozenset(skipped)


def _body(text: str) -> str:
    """What stands below the first line, which has the distribution's name."""
    return text.partition("\n")[2]
