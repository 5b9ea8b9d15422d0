"""Which images an archive holds: what each is called, and its manifest or index."""

import json
from collections.abc import Sequence
from typing import Any

import attrs

from minreg.fill.errors import ArchiveInvalid
from minreg.oci.manifests import Manifest, ManifestInvalid, parse_manifest
from minreg.oci.names import Digest, DigestInvalid, ImageReference, NameInvalid
from minreg.oci.platforms import Platform


@attrs.frozen
class ArchivedImage:
    """An image, as an archive holds it.

    ``digest`` is that of its manifest or index. ``names`` are what the archive calls it,
    ``tag`` is all that it says where it has no name for it.
    """

    digest: Digest
    names: tuple[str, ...] = ()
    tag: str = ""
    platform: Platform | None = None

    def __str__(self) -> str:
        return self.names[0] if self.names else str(self.digest)


def parse_sound_manifest(name: str, content: bytes) -> Manifest:
    """Read a manifest or index of which every descriptor makes sense.

    Args:
        name: What to call it if it does not.
        content: Its bytes.

    Raises:
        ArchiveInvalid: It is none, or a descriptor does not.
    """
    try:
        manifest = parse_manifest(content)
    except ManifestInvalid as error:
        raise ArchiveInvalid(f"{name} is no manifest: {error}; export the image anew") from None
    if manifest.malformed:
        raise ArchiveInvalid(f"{name} is damaged: {manifest.malformed[0]}; export the image anew")
    return manifest


def parse_json(name: str, content: bytes) -> Any:
    """Read a document of an archive.

    Raises:
        ArchiveInvalid: It is not JSON.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ArchiveInvalid(f"{name!r} is not JSON ({error}): copy the archive again") from None


def read_diff_ids(name: str, config: bytes) -> list[Digest]:
    """Read the digests that an image's layers have once they are decompressed.

    Args:
        name: What to call the config if it has none.
        config: Its bytes. Source: OCI image-spec, config.md, "rootfs".

    Raises:
        ArchiveInvalid: It names its layers in no known way.
    """
    document = parse_json(name, config)
    root = document.get("rootfs") if isinstance(document, dict) else None
    listed = root.get("diff_ids") if isinstance(root, dict) else None
    try:
        return [Digest.parse(str(diff_id)) for diff_id in listed or ()]
    except (DigestInvalid, TypeError):
        raise ArchiveInvalid(
            f"{name!r} has a config that names its layers in no known way: export the image anew"
        ) from None


@attrs.frozen
class NamedImage:
    """An image under one of its names."""

    reference: ImageReference
    image: ArchivedImage


def name_images(images: Sequence[ArchivedImage], name: str = "") -> list[NamedImage]:
    """Name the images of an archive; one that has no name is left out beside some that do.

    Args:
        images: The images.
        name: What to call what the archive does not name. Without a tag it is completed
            by the tag that the archive may have.

    Raises:
        ArchiveInvalid: A name is malformed, none is there, or ``name`` does not fit.
    """
    if not images:
        raise ArchiveInvalid("it holds no image: export the image anew")
    named = [
        _name(image, text) for image in images for text in image.names or _complete(name, image)
    ]
    unnamed = [image for image in images if not image.names]
    if name and not unnamed:
        raise ArchiveInvalid(f"it names its images itself, such as {images[0]}: leave out --name")
    if name and len({_complete(name, image) for image in unnamed}) < len(unnamed):
        raise ArchiveInvalid(
            f"it has {len(unnamed)} images without a name, and --name names one: "
            "export them with their names"
        )
    if not named:
        raise ArchiveInvalid(f"it does not say what its image is called: {_mend(images[0])}")
    return list({(one.reference, one.image.digest): one for one in named}.values())


def _complete(name: str, image: ArchivedImage) -> tuple[str, ...]:
    if not name:
        return ()
    _, _, last_part = name.rpartition("/")
    has_tag = ":" in last_part or "@" in last_part
    return (name,) if has_tag or not image.tag else (f"{name}:{image.tag}",)


def _mend(image: ArchivedImage) -> str:
    if image.tag:
        return f"give --name REPOSITORY, for it has only the tag {image.tag!r}"
    return "give --name REPOSITORY:TAG"


def _name(image: ArchivedImage, text: str) -> NamedImage:
    try:
        reference = ImageReference.parse(text)
    except (NameInvalid, DigestInvalid) as error:
        raise ArchiveInvalid(f"{text[:160]!r} names no image: {error}") from None
    if reference.digest is not None and reference.digest != image.digest:
        raise ArchiveInvalid(f"{text!r} stands for {image.digest}: export the image anew")
    return NamedImage(reference, image)
