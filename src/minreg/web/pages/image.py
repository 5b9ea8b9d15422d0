"""How an image of this registry is named by those who pull it, and the commands that do."""

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
    facts,
    image_path,
    link,
    short_digest,
    shown,
    table,
    time_of,
    to_paste,
)
from minreg.web.request import RegistryRequest
from minreg.web.status.not_found import join_reference

_PORTS = {"http": 80, "https": 443}


@attrs.frozen
class RegistryAddress:
    """Where the registry is reached.

    ``scheme`` is ``http`` or ``https``; ``host`` has a port if it is not the scheme's own.
    """

    scheme: str
    host: str

    @classmethod
    def parse(cls, url: str) -> "RegistryAddress":
        """Read the URL of a registry."""
        scheme, _, host = url.partition("://")
        return cls(scheme, host)

    @property
    def url(self) -> str:
        """The URL of the registry."""
        return f"{self.scheme}://{self.host}"

    @property
    def is_plain(self) -> bool:
        """Whether the registry is reached without TLS."""
        return self.scheme == "http"

    @property
    def image_host(self) -> str:
        """The host as the first part of an image's name, where one without a dot needs a port."""
        return self.host if is_host(self.host) else f"{self.host}:{_PORTS[self.scheme]}"

    @property
    def is_loopback(self) -> bool:
        """Whether only clients on the same machine reach it; Docker trusts such a registry."""
        name = self.host.rpartition("]")[0].removeprefix("[") or self.host.partition(":")[0]
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return name.lower() == "localhost"


@attrs.frozen
class PullNames:
    """The registry's host and the repository there, and where this registry listens.

    A repository that is kept without its registry's host is pulled by this registry's own
    name: nobody knows any more which host it came from. ``repository`` is its name in the store.
    """

    repository: str
    host: str
    path: str
    address: RegistryAddress

    @property
    def registries_yaml(self) -> str:
        """The entry that K3s needs to look here."""
        return f'mirrors:\n  "{self.host}":\n    endpoint:\n      - "{self.address.url}"'

    @property
    def docker_daemon_json(self) -> str:
        """What Docker needs in its configuration to pull without TLS; empty if nothing."""
        if not self.address.is_plain or self.address.is_loopback:
            return ""
        return f'{{"insecure-registries": ["{self.address.image_host}"]}}'

    def commands(self, reference: str | Digest, *, is_artifact: bool) -> Iterator[str]:
        """Write the commands that pull an image by this registry's address.

        Args:
            reference: Its tag or digest.
            is_artifact: Whether it is no image that a container runtime takes.
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
    """Name a repository as it is pulled.

    Args:
        repository: Its name in the store.
        aliases: Names of this registry, each with the host that is meant by it.
        address: Where this registry listens.
    """
    first, _, rest = repository.partition("/")
    if rest and is_host(first):
        return PullNames(repository, first, rest, address)
    alias = next(iter(aliases), "") or address.host
    return PullNames(repository, alias, repository, address)


def address_of(request: RegistryRequest, otherwise: str) -> RegistryAddress:
    """Find the address by which a browser came here, if that is one that others can use as well.

    Args:
        request: The browser's request.
        otherwise: The URL to use if the request's ``Host`` is no host name or address.
    """
    host = request.header(b"host") or ""
    try:
        parse_host(host)
    except NameInvalid:
        return RegistryAddress.parse(otherwise)
    return RegistryAddress("https" if request.isSecure() else "http", host)


_LAYERS = (("", "role"), ("Digest", "digest"), ("Media type", "type"), ("Size", "number"))
_IMAGE_CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})
_MOST_LAYERS = 500
_MOST_ANNOTATIONS = 50


def describe_image(image: StoredImage, date: ImageDate | None, names: PullNames) -> Iterator[Part]:
    """Write all that there is to say about an image.

    Args:
        image: The image.
        date: When it was made, or stored, if that is known.
        names: How it is pulled.
    """
    yield _state(image)
    yield from _identity(image, date)
    yield from _lines_to_paste(image, names)
    yield tags.h2("Content" if _is_artifact(image) else "Platforms")
    for held in image.manifests:
        if not (held.manifest.is_index or held.is_referrer):
            yield from _platform(image, held)
    if image.absent:
        absent = ", ".join(shown(str(platform)) for platform in image.absent)
        yield tags.p(
            f"The index also names {absent}: not stored here, so a pull for that platform fails.",
            class_="quiet note",
        )
    yield from _referrers(image)


def _state(image: StoredImage) -> Tag:
    if not image.problems:
        return tags.p("Complete: all of its parts are here.", class_="fine")
    return tags.div(
        tags.strong("Incomplete. "),
        "Download or copy it again.",
        tags.ul([tags.li(shown(problem)) for problem in image.problems]),
        class_="notice",
    )


def _identity(image: StoredImage, date: ImageDate | None) -> Iterator[Tag]:
    root = next((held for held in image.manifests if held.digest == image.root), None)
    if root is None:
        return
    known: list[tuple[str, Part]] = [
        ("Digest", tags.code(str(root.digest))),
        ("Media type", tags.code(shown(root.manifest.media_type))),
        ("Size", f"{format_size(image.size)} in {count(len(image.blobs), 'blob')}"),
    ]
    if date is not None:
        known.append(("Created" if date.is_stated else "Stored", time_of(date.seconds)))
    yield facts(known)
    yield from _annotations(root.manifest.annotations)


def _lines_to_paste(image: StoredImage, names: PullNames) -> Iterator[Tag]:
    yield tags.h2("Pull it")
    yield tags.p("At the address of this registry:", class_="quiet")
    is_artifact = _is_artifact(image)
    for command in names.commands(image.reference, is_artifact=is_artifact):
        yield to_paste(command)
    if is_artifact:
        return
    if names.docker_daemon_json:
        yield tags.p(
            "Docker pulls without TLS only if ",
            tags.code("/etc/docker/daemon.json"),
            " allows it:",
            class_="quiet",
        )
        yield to_paste(names.docker_daemon_json)
    yield from _lines_for_k3s(image, names)


def _lines_for_k3s(image: StoredImage, names: PullNames) -> Iterator[Tag]:
    yield tags.h2("Pull it on a K3s node")
    yield to_paste(f"crictl pull {names.host}/{join_reference(names.path, image.reference)}")
    if image.root is not None and not isinstance(image.reference, Digest):
        yield tags.p("Or by digest, which always names the same content:", class_="quiet")
        yield to_paste(f"crictl pull {names.host}/{names.path}@{image.root}")
    yield tags.p(
        "K3s needs this in ",
        tags.code("/etc/rancher/k3s/registries.yaml"),
        " before it starts:",
        class_="quiet",
    )
    yield to_paste(names.registries_yaml)


def _is_artifact(image: StoredImage) -> bool:
    """Return whether it is something else than an image for containers, such as a Helm chart."""
    root = next((held.manifest for held in image.manifests if held.digest == image.root), None)
    if root is None or root.is_index:
        return False
    return root.config is None or root.config.media_type not in _IMAGE_CONFIGS


def _kind(manifest: Manifest) -> str:
    """Name the kind of an artifact; empty if it does not say."""
    config = manifest.config
    return manifest.artifact_type or (config.media_type if config is not None else "")


def _platform(image: StoredImage, held: StoredManifest) -> Iterator[Tag]:
    platform = str(held.platform or _kind(held.manifest) or "no platform")
    size = sum(blob.size for blob in held.manifest.blobs)
    yield tags.h3(
        shown(platform),
        " ",
        tags.span(format_size(size), " ", short_digest(held.digest), class_="quiet"),
    )
    blobs = list(held.manifest.blobs)
    yield table(_LAYERS, [_blob(image, held, blob) for blob in blobs[:_MOST_LAYERS]])
    if len(blobs) > _MOST_LAYERS:
        yield tags.p(f"and {len(blobs) - _MOST_LAYERS} more", class_="quiet")
    if held.digest != image.root:
        yield from _annotations(held.manifest.annotations)


def _blob(image: StoredImage, held: StoredManifest, blob: Descriptor) -> Tag:
    role = "config" if blob is held.manifest.config else "layer"
    flag = tags.span(" not here", class_="flag") if blob.digest in image.faulty else ""
    return tags.tr(
        cell("role quiet", role),
        cell("digest", short_digest(blob.digest), flag),
        cell("type quiet", shown(blob.media_type)),
        cell("number", format_size(blob.size)),
    )


def _referrers(image: StoredImage) -> Iterator[Tag]:
    referrers = [held for held in image.manifests if held.is_referrer]
    if not referrers:
        return
    yield tags.h2("What refers to it")
    for held in referrers:
        kind = _kind(held.manifest)
        path = image_path(image.repository_path, held.digest)
        size = held.size + sum(blob.size for blob in held.manifest.blobs)
        yield tags.h3(
            link(path, shown(kind) or "an artifact"),
            " ",
            tags.span(format_size(size), " ", short_digest(held.digest), class_="quiet"),
        )
        yield from _annotations(held.manifest.annotations)


def _annotations(annotations: Mapping[str, str]) -> Iterator[Tag]:
    known = [(shown(name), shown(text)) for name, text in sorted(annotations.items())]
    if known:
        yield facts(known[:_MOST_ANNOTATIONS])(class_="annotations")
