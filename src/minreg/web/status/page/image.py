"""The page of one image: what it is made of, what is about it, and how to pull it."""

from collections.abc import Iterator, Mapping

from twisted.web.template import Tag, tags

from minreg.manifests import Descriptor, Manifest
from minreg.media_types import DOCKER_CONFIG, OCI_CONFIG
from minreg.names import Digest
from minreg.store.dates import ImageDate
from minreg.store.held import HeldImage, HeldManifest
from minreg.web.status.page.names import PullNames
from minreg.web.status.page.parts import (
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
from minreg.web.status.wanted import join_reference
from minreg.words import count, format_size

_LAYERS = (("", "role"), ("Digest", "digest"), ("Media type", "type"), ("Size", "number"))
_IMAGE_CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})
_MOST_LAYERS = 500
_MOST_ANNOTATIONS = 50


def describe_image(image: HeldImage, date: ImageDate | None, names: PullNames) -> Iterator[Part]:
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


def _state(image: HeldImage) -> Tag:
    if not image.problems:
        return tags.p("Complete: all of its parts are here.", class_="fine")
    return tags.div(
        tags.strong("Incomplete. "),
        "Download or copy it again.",
        tags.ul([tags.li(shown(problem)) for problem in image.problems]),
        class_="notice",
    )


def _identity(image: HeldImage, date: ImageDate | None) -> Iterator[Tag]:
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


def _lines_to_paste(image: HeldImage, names: PullNames) -> Iterator[Tag]:
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


def _lines_for_k3s(image: HeldImage, names: PullNames) -> Iterator[Tag]:
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


def _is_artifact(image: HeldImage) -> bool:
    """Return whether it is something else than an image for containers, such as a Helm chart."""
    root = next((held.manifest for held in image.manifests if held.digest == image.root), None)
    if root is None or root.is_index:
        return False
    return root.config is None or root.config.media_type not in _IMAGE_CONFIGS


def _kind(manifest: Manifest) -> str:
    """Name the kind of an artifact; empty if it does not say."""
    config = manifest.config
    return manifest.artifact_type or (config.media_type if config is not None else "")


def _platform(image: HeldImage, held: HeldManifest) -> Iterator[Tag]:
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


def _blob(image: HeldImage, held: HeldManifest, blob: Descriptor) -> Tag:
    role = "config" if blob is held.manifest.config else "layer"
    flag = tags.span(" not here", class_="flag") if blob.digest in image.faulty else ""
    return tags.tr(
        cell("role quiet", role),
        cell("digest", short_digest(blob.digest), flag),
        cell("type quiet", shown(blob.media_type)),
        cell("number", format_size(blob.size)),
    )


def _referrers(image: HeldImage) -> Iterator[Tag]:
    referrers = [held for held in image.manifests if held.is_referrer]
    if not referrers:
        return
    yield tags.h2("What refers to it")
    for held in referrers:
        kind = _kind(held.manifest)
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
