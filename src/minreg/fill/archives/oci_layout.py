"""OCI image layouts: what their ``index.json`` says, and what it calls its images.

Sources: OCI image-spec, image-layout.md; the annotations that containerd and Docker add.
"""

from minreg.fill.archives.contents import INDEX, OCI_LAYOUT, ArchiveContents
from minreg.fill.archives.naming import (
    ArchivedImage,
    parse_json,
    parse_sound_manifest,
    read_diff_ids,
)
from minreg.fill.errors import ArchiveInvalid
from minreg.oci.manifests import Descriptor
from minreg.oci.names import DOCKER_CONFIG, OCI_CONFIG

_IMAGE_CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})
_VERSION = "1.0.0"
_WHOLE_NAME = "io.containerd.image.name"
_REFERENCE = "org.opencontainers.image.ref.name"


def is_oci_layout(contents: ArchiveContents) -> bool:
    """Tell whether an archive is an OCI layout, whatever else it is.

    Raises:
        ArchiveInvalid: It is one of a version that is not known.
    """
    content = contents.document(OCI_LAYOUT)
    if content is None:
        return False
    layout = parse_json(OCI_LAYOUT, content)
    version = layout.get("imageLayoutVersion") if isinstance(layout, dict) else None
    if version != _VERSION:
        raise ArchiveInvalid(
            f"{OCI_LAYOUT!r} states the version {version!r}: export the image as {_VERSION}"
        )
    return True


def list_oci_images(contents: ArchiveContents) -> list[ArchivedImage]:
    """List the images of an OCI layout.

    Returns:
        The images; none if its index is empty, as some versions of Docker leave it.

    Raises:
        ArchiveInvalid: The index is damaged, or names what is not there.
    """
    content = contents.document(INDEX)
    if content is None:
        raise ArchiveInvalid(f"it has an {OCI_LAYOUT!r}, but no {INDEX!r}: copy it again")
    index = parse_json(INDEX, content)
    if isinstance(index, dict) and not index.get("manifests"):
        return []
    descriptors = parse_sound_manifest(INDEX, content).manifests
    return [
        _make_image(contents, descriptor)
        for descriptor in descriptors
        if descriptor.is_manifest or _names(descriptor)
    ]


def has_all_layers(contents: ArchiveContents, image: ArchivedImage) -> bool:
    """Tell whether a manifest names as many layers as its config does.

    Docker 25.0 named each only once where an image has a layer several times.
    """
    manifest = parse_sound_manifest(str(image), contents.read(image.digest))
    config = manifest.config
    if config is None or config.media_type not in _IMAGE_CONFIGS:
        return True
    if contents.size_of(config.digest) is None:
        return True
    diff_ids = read_diff_ids(str(config.digest), contents.read(config.digest))
    return len(manifest.layers) == len(diff_ids)


def _make_image(contents: ArchiveContents, descriptor: Descriptor) -> ArchivedImage:
    size = contents.size_of(descriptor.digest)
    names = _names(descriptor)
    if size != descriptor.size:
        state = "is not in it" if size is None else f"has {size} bytes in it"
        called = f", of {names[0]}," if names else ""
        raise ArchiveInvalid(
            f"{INDEX!r} names {descriptor.digest}{called} with {descriptor.size} bytes, "
            f"which {state}: export the image anew"
        )
    return ArchivedImage(descriptor.digest, names, _bare_tag(descriptor), descriptor.platform)


def _names(descriptor: Descriptor) -> tuple[str, ...]:
    """Read what an image is called, from what says most.

    The annotation of the specification holds a bare tag in the hands of most tools, and a
    whole name in those of some.
    """
    whole_name = descriptor.annotations.get(_WHOLE_NAME)
    if whole_name:
        return (whole_name,)
    reference = descriptor.annotations.get(_REFERENCE, "")
    return (reference,) if set("/:@") & set(reference) else ()


def _bare_tag(descriptor: Descriptor) -> str:
    reference = descriptor.annotations.get(_REFERENCE, "")
    return "" if set("/:@") & set(reference) else reference
