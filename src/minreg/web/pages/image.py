"""How an image of this registry is named by those who pull it."""

from collections.abc import Iterator, Mapping

import attrs
from twisted.web.template import Tag, tags

from minreg.oci.manifests import Descriptor
from minreg.oci.names import Digest, NameInvalid, is_host, parse_host
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
    to_paste,
)
from minreg.web.request import RegistryRequest
from minreg.web.status.not_found import join_reference


@attrs.frozen
class PullNames:
    """The registry's host and the repository there, and where this registry listens.

    A repository that is kept without its registry's host is pulled by this registry's own
    name: nobody knows any more which host it came from.
    """

    host: str
    path: str
    url: str

    @property
    def registries_yaml(self) -> str:
        """The entry that K3s needs to look here."""
        return f'mirrors:\n  "{self.host}":\n    endpoint:\n      - "{self.url}"'


def pull_names(repository: str, aliases: Mapping[str, str], url: str) -> PullNames:
    """Name a repository as it is pulled.

    Args:
        repository: Its name in the store.
        aliases: Names of this registry, each with the host that is meant by it.
        url: Where this registry listens.
    """
    first, _, rest = repository.partition("/")
    if rest and is_host(first):
        return PullNames(first, rest, url)
    alias = next(iter(aliases), "") or url.partition("://")[2]
    return PullNames(alias, repository, url)


def url_of(request: RegistryRequest, otherwise: str) -> str:
    """Tell by which URL a browser came here, if that is one that others can use as well."""
    host = request.header(b"host") or ""
    try:
        parse_host(host)
    except NameInvalid:
        return otherwise
    return f"{'https' if request.isSecure() else 'http'}://{host}"


_LAYERS = (("", "role"), ("Digest", "digest"), ("Media type", "type"), ("Size", "number"))
_MOST_LAYERS = 500
_MOST_ANNOTATIONS = 50


def describe_image(image: StoredImage, names: PullNames) -> Iterator[Part]:
    """Write all that there is to say about an image."""
    yield _state(image)
    yield from _identity(image)
    yield from _lines_to_paste(image, names)
    yield tags.h2("Platforms")
    for held in image.manifests:
        if not (held.manifest.is_index or held.is_referrer):
            yield from _platform(image, held)
    if image.absent:
        absent = ", ".join(shown(str(platform)) for platform in image.absent)
        yield tags.p(f"Named by the index, and not here: {absent}.", class_="quiet")
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


def _identity(image: StoredImage) -> Iterator[Tag]:
    root = next((held for held in image.manifests if held.digest == image.root), None)
    if root is None:
        return
    yield facts(
        [
            ("Digest", tags.code(str(root.digest))),
            ("Media type", tags.code(shown(root.manifest.media_type))),
            ("Size", f"{format_size(image.size)} in {count(len(image.blobs), 'blob')}"),
        ]
    )
    yield from _annotations(root.manifest.annotations)


def _lines_to_paste(image: StoredImage, names: PullNames) -> Iterator[Tag]:
    yield tags.h2("Pull it")
    yield to_paste(f"crictl pull {names.host}/{join_reference(names.path, image.reference)}")
    if image.root is not None and not isinstance(image.reference, Digest):
        yield tags.p("Or this very content, whatever the tag may name tomorrow:", class_="quiet")
        yield to_paste(f"crictl pull {names.host}/{names.path}@{image.root}")
    yield tags.p(
        "For that, K3s needs this in ",
        tags.code("/etc/rancher/k3s/registries.yaml"),
        " on the node before it starts:",
        class_="quiet",
    )
    yield to_paste(names.registries_yaml)


def _platform(image: StoredImage, held: StoredManifest) -> Iterator[Tag]:
    platform = "no platform" if held.platform is None else str(held.platform)
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
        config = held.manifest.config
        kind = held.manifest.artifact_type or (config.media_type if config else "")
        path = image_path(image.place, held.digest)
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
