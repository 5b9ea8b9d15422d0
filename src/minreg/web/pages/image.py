"""The page of an image: its state, the commands that pull it, and its content."""

import ipaddress
from collections.abc import Iterator, Mapping

import attrs
from twisted.web.template import Tag, tags

from minreg.oci.manifests import Descriptor, Manifest
from minreg.oci.names import DOCKER_CONFIG, OCI_CONFIG, Digest, NameInvalid, is_host, parse_host
from minreg.store.dates import ImageDate
from minreg.store.images import StoredImage, StoredManifest
from minreg.text import count, format_size
from minreg.web.pages.html import (
    Part,
    cell,
    escape,
    facts,
    format_date,
    image_path,
    link,
    short_digest,
    table,
    to_paste,
)
from minreg.web.request import RegistryRequest
from minreg.web.status.not_found import join_reference

_PORTS = {"http": 80, "https": 443}


@attrs.frozen
class RegistryAddress:
    """The address of the registry.

    Attributes:
        scheme: ``http`` or ``https``.
        host: A host name or IP address, with a port unless it is the scheme's default.
    """

    scheme: str
    host: str

    @classmethod
    def parse(cls, url: str) -> "RegistryAddress":
        """Parse the URL of a registry."""
        scheme, _, host = url.partition("://")
        return cls(scheme, host)

    @property
    def url(self) -> str:
        """The URL of the registry."""
        return f"{self.scheme}://{self.host}"

    @property
    def is_plain(self) -> bool:
        """Whether it is without TLS."""
        return self.scheme == "http"

    @property
    def image_host(self) -> str:
        """The host as the first part of an image's name.

        A host name without a dot needs a port: Docker takes it for a part of the path.
        """
        return self.host if is_host(self.host) else f"{self.host}:{_PORTS[self.scheme]}"

    @property
    def is_loopback(self) -> bool:
        """Whether only clients on the same machine can use it. Docker trusts such a registry."""
        name = self.host.rpartition("]")[0].removeprefix("[") or self.host.partition(":")[0]
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return name.lower() == "localhost"


@attrs.frozen
class PullNames:
    """The names under which a repository can be pulled.

    A repository that is stored without the host of its upstream registry is pulled under an alias
    of this registry: the host that it came from is unknown.

    Attributes:
        repository: Its name in the store.
        host: The host that K3s needs a mirror for.
        path: Its name below that host.
        address: The address of this registry.
    """

    repository: str
    host: str
    path: str
    address: RegistryAddress

    @property
    def registries_yaml(self) -> str:
        """The entry of ``registries.yaml`` with which K3s pulls from this registry."""
        return f'mirrors:\n  "{self.host}":\n    endpoint:\n      - "{self.address.url}"'

    @property
    def docker_daemon_json(self) -> str:
        """The setting with which Docker pulls without TLS; empty if it needs none."""
        if not self.address.is_plain or self.address.is_loopback:
            return ""
        return f'{{"insecure-registries": ["{self.address.image_host}"]}}'

    def commands(self, reference: str | Digest, *, is_artifact: bool) -> Iterator[str]:
        """Yield the commands that pull an image from this registry's address.

        Args:
            reference: Its tag or digest.
            is_artifact: Whether it is an artifact that container runtimes cannot pull.
        """
        image = f"{self.address.image_host}/{join_reference(self.repository, reference)}"
        file = f"{self.repository.rpartition('/')[2]}.tar"
        plain = " --src-tls-verify=false" if self.address.is_plain else ""
        yield f"skopeo copy{plain} docker://{image} oci-archive:{file}"
        if is_artifact:
            yield f"oras pull{' --plain-http' if self.address.is_plain else ''} {image}"
            return
        yield f"ctr images pull{' --plain-http' if self.address.is_plain else ''} {image}"
        yield f"docker pull {image}"


def pull_names(repository: str, aliases: Mapping[str, str], address: RegistryAddress) -> PullNames:
    """Return the names under which a repository can be pulled.

    Args:
        repository: Its name in the store.
        aliases: Names of this registry, each with the upstream host that it stands for.
        address: The address of this registry.
    """
    first, _, rest = repository.partition("/")
    if rest and is_host(first):
        return PullNames(repository, first, rest, address)
    alias = next(iter(aliases), "") or address.host
    return PullNames(repository, alias, repository, address)


def address_of(request: RegistryRequest, otherwise: str) -> RegistryAddress:
    """Return the address that a browser used, which other clients can probably use as well.

    Args:
        request: The browser's request.
        otherwise: The URL to return if the request's ``Host`` is not a host name or IP address.
    """
    host = request.header(b"host") or ""
    try:
        parse_host(host)
    except NameInvalid:
        return RegistryAddress.parse(otherwise)
    return RegistryAddress("https" if request.isSecure() else "http", host)


_LAYERS = (("", "role"), ("Digest", "digest"), ("Media type", "type"), ("Size", "number"))
_IMAGE_CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})
_MOST_BLOBS = 500
_MOST_ANNOTATIONS = 50


def describe_image(image: StoredImage, date: ImageDate | None, names: PullNames) -> Iterator[Part]:
    """Yield the content of an image's page.

    Args:
        image: The image. Its root exists.
        date: When it was created or stored; None if that is unknown.
        names: The names under which it can be pulled.
    """
    yield _state(image)
    yield from _identity(image, date)
    yield from _pull_commands(image, names)
    yield tags.h2("Content" if _is_artifact(image) else "Platforms")
    for stored in image.manifests:
        if not (stored.manifest.is_index or stored.is_referrer):
            yield from _platform(image, stored)
    if image.absent:
        absent = ", ".join(escape(str(platform)) for platform in image.absent)
        yield tags.p(
            f"Not stored: {absent}, which the index also lists. Pulls for these platforms fail.",
            class_="quiet note",
        )
    yield from _referrers(image)


def _state(image: StoredImage) -> Tag:
    if not image.problems:
        return tags.p("Complete: all manifests, configs and layers are stored.", class_="fine")
    return tags.div(
        tags.strong("Incomplete. "),
        "Download or import it again.",
        tags.ul([tags.li(escape(problem)) for problem in image.problems]),
        class_="notice",
    )


def _identity(image: StoredImage, date: ImageDate | None) -> Iterator[Tag]:
    root = _find_root(image)
    rows: list[tuple[str, Part]] = [
        ("Digest", tags.code(str(root.digest))),
        ("Media type", tags.code(escape(root.manifest.media_type))),
        ("Size", f"{format_size(image.size)} in {count(len(image.blobs), 'blob')}"),
    ]
    if date is not None:
        rows.append(("Created" if date.is_stated else "Stored", format_date(date.seconds)))
    yield facts(rows)
    yield from _annotations(root.manifest.annotations)


def _pull_commands(image: StoredImage, names: PullNames) -> Iterator[Tag]:
    yield tags.h2("Pull")
    yield tags.p("From the address of this registry:", class_="quiet")
    is_artifact = _is_artifact(image)
    for command in names.commands(image.reference, is_artifact=is_artifact):
        yield to_paste(command)
    if is_artifact:
        return
    if names.docker_daemon_json:
        yield tags.p(
            "Docker pulls without TLS only with this in ",
            tags.code("/etc/docker/daemon.json"),
            ":",
            class_="quiet",
        )
        yield to_paste(names.docker_daemon_json)
    yield from _k3s_commands(image, names)


def _k3s_commands(image: StoredImage, names: PullNames) -> Iterator[Tag]:
    yield tags.h2("Pull on a K3s node")
    yield to_paste(f"crictl pull {names.host}/{join_reference(names.path, image.reference)}")
    if not isinstance(image.reference, Digest):
        yield tags.p("Or by digest, which always means the same content:", class_="quiet")
        yield to_paste(f"crictl pull {names.host}/{names.path}@{image.root}")
    yield tags.p(
        "Before K3s starts, it needs this in ",
        tags.code("/etc/rancher/k3s/registries.yaml"),
        ":",
        class_="quiet",
    )
    yield to_paste(names.registries_yaml)


def _find_root(image: StoredImage) -> StoredManifest:
    return next(stored for stored in image.manifests if stored.digest == image.root)


def _is_artifact(image: StoredImage) -> bool:
    """Return whether it is not an image for containers but, for example, a Helm chart."""
    manifest = _find_root(image).manifest
    if manifest.is_index:
        return False
    config = manifest.config
    return config is None or config.media_type not in _IMAGE_CONFIGS


def _artifact_type(manifest: Manifest) -> str:
    """Return the type of an artifact; empty if the manifest does not state one."""
    config = manifest.config
    return manifest.artifact_type or (config.media_type if config is not None else "")


def _platform(image: StoredImage, stored: StoredManifest) -> Iterator[Tag]:
    platform = str(stored.platform or _artifact_type(stored.manifest) or "no platform")
    size = sum(blob.size for blob in stored.manifest.blobs)
    yield tags.h3(
        escape(platform),
        " ",
        tags.span(format_size(size), " ", short_digest(stored.digest), class_="quiet"),
    )
    blobs = list(stored.manifest.blobs)
    yield table(_LAYERS, [_blob(image, stored, blob) for blob in blobs[:_MOST_BLOBS]])
    if len(blobs) > _MOST_BLOBS:
        yield tags.p(f"and {len(blobs) - _MOST_BLOBS} more", class_="quiet")
    if stored.digest != image.root:
        yield from _annotations(stored.manifest.annotations)


def _blob(image: StoredImage, stored: StoredManifest, blob: Descriptor) -> Tag:
    role = "config" if blob is stored.manifest.config else "layer"
    flag = tags.span(" missing", class_="flag") if blob.digest in image.faulty else ""
    return tags.tr(
        cell("role quiet", role),
        cell("digest", short_digest(blob.digest), flag),
        cell("type quiet", escape(blob.media_type)),
        cell("number", format_size(blob.size)),
    )


def _referrers(image: StoredImage) -> Iterator[Tag]:
    referrers = [stored for stored in image.manifests if stored.is_referrer]
    if not referrers:
        return
    yield tags.h2("Referrers")
    for stored in referrers:
        kind = _artifact_type(stored.manifest)
        path = image_path(image.repository_path, stored.digest)
        size = stored.size + sum(blob.size for blob in stored.manifest.blobs)
        yield tags.h3(
            link(path, escape(kind) or "artifact"),
            " ",
            tags.span(format_size(size), " ", short_digest(stored.digest), class_="quiet"),
        )
        yield from _annotations(stored.manifest.annotations)


def _annotations(annotations: Mapping[str, str]) -> Iterator[Tag]:
    rows = [(escape(name), escape(text)) for name, text in sorted(annotations.items())]
    if rows:
        yield facts(rows[:_MOST_ANNOTATIONS])(class_="annotations")
