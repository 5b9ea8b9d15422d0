"""The images of an archive: their names, and the digests of their manifests or indexes."""

import json
from collections.abc import Sequence
from typing import Any

import attrs

from minreg.fill.errors import ArchiveInvalid
from minreg.oci.manifests import Manifest, ManifestInvalid, parse_manifest
from minreg.oci.names import Digest, DigestInvalid, ImageReference, NameInvalid
from minreg.oci.platforms import Platform
from minreg.text import describe_json_error


@attrs.frozen
class ArchivedImage:
    """An image in an archive.

    ``digest`` is that of its manifest or index. ``names`` are its full names in the archive;
    ``tag`` is its tag where the archive states nothing else.
    """

    digest: Digest
    names: tuple[str, ...] = ()
    tag: str = ""
    platform: Platform | None = None

    def __str__(self) -> str:
        return self.names[0] if self.names else str(self.digest)


def parse_valid_manifest(name: str, content: bytes) -> Manifest:
    """Parse a manifest or index of which every descriptor must be valid.

    Args:
        name: Its name in error messages.
        content: Its bytes.

    Raises:
        ArchiveInvalid: It is no manifest, or a descriptor in it is invalid.
    """
    try:
        manifest = parse_manifest(content)
    except ManifestInvalid as error:
        raise ArchiveInvalid(f"{name} is no manifest: {error}; export the image again") from None
    if manifest.malformed:
        raise ArchiveInvalid(f"{name} is damaged: {manifest.malformed[0]}; export the image again")
    return manifest


def parse_json(name: str, content: bytes) -> Any:
    """Parse a JSON document of an archive.

    Raises:
        ArchiveInvalid: It is not JSON.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ArchiveInvalid(
            f"{name!r} is not JSON ({describe_json_error(error)}); copy the archive again"
        ) from None


def read_diff_ids(name: str, config: bytes) -> list[Digest]:
    """Return the diff_ids in a config: the digests of the image's uncompressed layers.

    Args:
        name: The config's name in error messages.
        config: Its bytes. Source: OCI image-spec, config.md, "rootfs".

    Raises:
        ArchiveInvalid: The config has no valid list of them.
    """
    document = parse_json(name, config)
    root = document.get("rootfs") if isinstance(document, dict) else None
    listed = root.get("diff_ids") if isinstance(root, dict) else None
    try:
        return [Digest.parse(str(diff_id)) for diff_id in listed or ()]
    except (DigestInvalid, TypeError):
        raise ArchiveInvalid(
            f"the config {name!r} has no valid list of layers (rootfs.diff_ids); "
            "export the image again"
        ) from None


@attrs.frozen
class NamedImage:
    """An image, and one of its names."""

    reference: ImageReference
    image: ArchivedImage


def name_images(images: Sequence[ArchivedImage], name: str = "") -> list[NamedImage]:
    """Return each image once per name.

    An image without a name is left out if others have one, unless ``name`` is given.

    Args:
        images: The images.
        name: The name for an image without one. If it has no tag, the tag from the archive is
            appended.

    Raises:
        ArchiveInvalid: A name is malformed, no image has a name, or ``name`` is given for an
            archive that names its images or has several unnamed ones.
    """
    if not images:
        raise ArchiveInvalid("the archive has no image; export the image again")
    named = [
        _parse_name(image, text)
        for image in images
        for text in image.names or _complete(name, image)
    ]
    unnamed = [image for image in images if not image.names]
    if name and not unnamed:
        raise ArchiveInvalid(
            f"the archive names its images, such as {images[0]}; leave out --name"
        )
    if name and len({_complete(name, image) for image in unnamed}) < len(unnamed):
        raise ArchiveInvalid(
            f"the archive has {len(unnamed)} images without a name, and --name names only one; "
            "export them with their names"
        )
    if not named:
        raise ArchiveInvalid(f"the archive has no name for its image; {_suggest_name(images[0])}")
    return list({(item.reference, item.image.digest): item for item in named}.values())


def _complete(name: str, image: ArchivedImage) -> tuple[str, ...]:
    if not name:
        return ()
    _, _, last_part = name.rpartition("/")
    has_tag = ":" in last_part or "@" in last_part
    return (name,) if has_tag or not image.tag else (f"{name}:{image.tag}",)


def _suggest_name(image: ArchivedImage) -> str:
    if image.tag:
        return f"give --name REPOSITORY (its tag is {image.tag!r})"
    return "give --name REPOSITORY:TAG"


def _parse_name(image: ArchivedImage, text: str) -> NamedImage:
    try:
        reference = ImageReference.parse(text)
    except (NameInvalid, DigestInvalid) as error:
        raise ArchiveInvalid(f"{text[:160]!r} is not an image name: {error}") from None
    if reference.digest is not None and reference.digest != image.digest:
        raise ArchiveInvalid(
            f"the image {text!r} has the digest {image.digest}; export the image again"
        )
    return NamedImage(reference, image)
