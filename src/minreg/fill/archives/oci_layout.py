"""Images of an OCI image layout: its ``index.json``, and the names in it.

Sources: OCI image-spec, image-layout.md; the annotations that containerd, Docker, cosign
(``pkg/oci/layout``), Hauler (``pkg/consts``) and Zarf (``src/pkg/images``) add.
"""

import re

from minreg.fill.archives.contents import INDEX, OCI_LAYOUT, ArchiveContents
from minreg.fill.archives.naming import (
    ArchivedImage,
    parse_json,
    parse_valid_manifest,
    read_diff_ids,
)
from minreg.fill.errors import ArchiveInvalid
from minreg.oci.manifests import Descriptor, ManifestInvalid, parse_manifest
from minreg.oci.names import (
    DOCKER_CONFIG,
    OCI_CONFIG,
    Digest,
    DigestInvalid,
    ImageReference,
    NameInvalid,
)

_IMAGE_CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})
_VERSION = "1.0.0"
_FULL_NAME_ANNOTATION = "io.containerd.image.name"
_REFERENCE_ANNOTATION = "org.opencontainers.image.ref.name"
_BASE_ANNOTATION = "org.opencontainers.image.base.name"
_KIND_ANNOTATION = "kind"
_SUBJECT_ANNOTATION = "hauler.dev/subject-digest"

_COSIGN_KINDS = {
    f"{vendor}/{kind}": suffix
    for vendor in ("dev.cosignproject.cosign", "dev.hauler")
    for kind, suffix in (("sigs", "sig"), ("atts", "att"), ("sboms", "sbom"))
}
"""The annotation ``kind`` of signatures, attestations and bills of materials, and the suffix of
cosign's tag for each. Hauler appends the subject's digest to some of them, after a slash."""

_REFERRERS_TAG = re.compile(r"sha(?:256|512)-[0-9a-f]{64}(?:\.(?:sig|att|sbom))?")
"""Tags of referrers: distribution-spec, "Referrers Tag Schema"; cosign's own have a suffix."""

_REFERRER_KINDS = ("dev.cosignproject.cosign/referrers", "dev.hauler/referrers")
"""The annotation ``kind`` of manifests with a subject; Hauler appends their digest."""


def is_oci_layout(contents: ArchiveContents) -> bool:
    """Return whether an archive is an OCI layout; it may be a docker-archive as well.

    Raises:
        ArchiveInvalid: It is one of an unknown version.
    """
    content = contents.document(OCI_LAYOUT)
    if content is None:
        return False
    layout = parse_json(OCI_LAYOUT, content)
    version = layout.get("imageLayoutVersion") if isinstance(layout, dict) else None
    if version != _VERSION:
        raise ArchiveInvalid(
            f"{OCI_LAYOUT!r} states the unknown version {version!r}; "
            f"export the image as {_VERSION}"
        )
    return True


def list_oci_images(contents: ArchiveContents) -> list[ArchivedImage]:
    """Return the images of an OCI layout.

    Returns:
        The images; an empty list if the index is empty, as some versions of Docker write it.

    Raises:
        ArchiveInvalid: The index is damaged, or names a manifest that is not in the archive.
    """
    content = contents.document(INDEX)
    if content is None:
        raise ArchiveInvalid(f"the archive has an {OCI_LAYOUT!r}, but no {INDEX!r}; copy it again")
    index = parse_json(INDEX, content)
    if isinstance(index, dict) and not index.get("manifests"):
        return []
    descriptors = parse_valid_manifest(INDEX, content).manifests
    return [
        _make_image(contents, descriptor)
        for descriptor in descriptors
        if descriptor.is_manifest or _names(descriptor)
    ]


def has_all_layers(contents: ArchiveContents, image: ArchivedImage) -> bool:
    """Return whether a manifest has as many layers as its config.

    Docker 25.0 lists a layer only once in the manifest if the image has it several times.
    """
    manifest = parse_valid_manifest(str(image), contents.read_file(image.digest))
    config = manifest.config
    if config is None or config.media_type not in _IMAGE_CONFIGS:
        return True
    if contents.size_of(config.digest) is None:
        return True
    diff_ids = read_diff_ids(str(config.digest), contents.read_file(config.digest))
    return len(manifest.layers) == len(diff_ids)


def _make_image(contents: ArchiveContents, descriptor: Descriptor) -> ArchivedImage:
    size = contents.size_of(descriptor.digest)
    names = _names(descriptor)
    if size != descriptor.size:
        state = "is not in the archive" if size is None else f"has {size} bytes"
        owner = f", of {names[0]}," if names else ""
        raise ArchiveInvalid(
            f"{INDEX!r} names {descriptor.digest}{owner} with {descriptor.size} bytes, "
            f"which {state}; export the image again"
        )
    return ArchivedImage(
        descriptor.digest,
        names,
        _bare_tag(descriptor),
        descriptor.platform,
        descriptor.annotations.get(_BASE_ANNOTATION, ""),
        _cosign_kind(descriptor),
        _find_subject(contents, descriptor),
    )


def _kind(descriptor: Descriptor) -> str:
    """Return the annotation ``kind`` without the digest that Hauler appends."""
    return "/".join(descriptor.annotations.get(_KIND_ANNOTATION, "").split("/")[:2])


def _cosign_kind(descriptor: Descriptor) -> str:
    return _COSIGN_KINDS.get(_kind(descriptor), "")


def _find_subject(contents: ArchiveContents, descriptor: Descriptor) -> Digest | None:
    """Return the subject that the manifest states, or that Hauler states for a signature.

    A damaged manifest has none here. It is refused when it is about to be imported.
    """
    stated = descriptor.annotations.get(_SUBJECT_ANNOTATION)
    try:
        if stated is not None and _cosign_kind(descriptor):
            return Digest.parse(stated)
        manifest = parse_manifest(contents.read_file(descriptor.digest))
    except (DigestInvalid, ManifestInvalid, ArchiveInvalid):
        return None
    return None if manifest.subject is None else manifest.subject.digest


def _names(descriptor: Descriptor) -> tuple[str, ...]:
    """Return the image's full name, in a tuple that is empty if there is none.

    Most tools write only a tag into the annotation of the specification, some a full name, and
    containerd writes the full name into an annotation of its own. Hauler gives a referrer the
    name of its subject there.
    """
    if _kind(descriptor) in _REFERRER_KINDS:
        return ()
    reference = descriptor.annotations.get(_REFERENCE_ANNOTATION, "")
    full_name = descriptor.annotations.get(_FULL_NAME_ANNOTATION)
    if full_name:
        return (_referrer_name(full_name, reference) or full_name,)
    return (reference,) if _is_full_name(reference) else ()


def _referrer_name(subject_name: str, reference: str) -> str:
    """Return the name of a referrer, whose annotation for containerd has its subject's name.

    Newer versions of Hauler write the name of a signature, without the registry's host, only
    into the annotation of the specification.

    Returns:
        The name; empty if ``reference`` is not that of a referrer in the subject's repository.
    """
    if not _is_full_name(reference):
        return ""
    try:
        subject, own = ImageReference.parse(subject_name), ImageReference.parse(reference)
    except (NameInvalid, DigestInvalid):
        return ""
    if own.repository != subject.repository or not _REFERRERS_TAG.fullmatch(own.tag):
        return ""
    return f"{subject.address}/{subject.repository}:{own.tag}"


def _is_full_name(reference: str) -> bool:
    return bool(set("/:@") & set(reference))


def _bare_tag(descriptor: Descriptor) -> str:
    reference = descriptor.annotations.get(_REFERENCE_ANNOTATION, "")
    return "" if _is_full_name(reference) else reference
