"""The images of an archive: their names, and the digests of their manifests or indexes."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from minreg.fill.errors import ArchiveInvalid
from minreg.oci.manifests import Manifest, ManifestInvalid, parse_manifest
from minreg.oci.names import Digest, DigestInvalid, ImageReference, NameInvalid
from minreg.oci.platforms import Platform
from minreg.text import describe_json_error

_MAX_LISTED = 8
"""Tags or digests that an error message lists."""


@attrs.frozen
class ArchivedImage:
    """An entry of an archive: an image, an artifact, or a referrer such as a signature.

    Attributes:
        digest: The digest of its manifest or index.
        names: Its full names in the archive.
        tag: Its tag where the archive states nothing else.
        platform: The platform that the archive's index states.
        base_name: A name from ``org.opencontainers.image.base.name``, for an entry without
            another one. Zarf writes the image's own name there. By the specification it is the
            name of the image's base.
        cosign_kind: ``sig``, ``att`` or ``sbom`` if the archive says that this is a signature,
            an attestation or a bill of materials. Its names are those of its subject then.
        subject: The digest of the manifest that it refers to.
    """

    digest: Digest
    names: tuple[str, ...] = ()
    tag: str = ""
    platform: Platform | None = None
    base_name: str = ""
    cosign_kind: str = ""
    subject: Digest | None = None

    @property
    def is_unnamed(self) -> bool:
        """Whether the archive states neither what it is called, nor that it is a signature."""
        return not (self.names or self.tag or self.base_name or self.cosign_kind)

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
    """An image, and one of its names.

    A referrer has the ``subject`` that it refers to. It is stored with its subject, and its name
    is made of the subject's.
    """

    reference: ImageReference
    image: ArchivedImage
    subject: Digest | None = None


def name_images(images: Sequence[ArchivedImage], name: str = "") -> list[NamedImage]:
    """Return each image once per name. Different images can have the same name.

    An image without a name is left out if others have one, unless ``name`` is given.

    Args:
        images: The images.
        name: The name for images without one. If it has no tag, each image keeps its tag from
            the archive, or is named by its digest if it has none. If it has a digest, only the
            image with that digest gets the name.

    Raises:
        ArchiveInvalid: A name is malformed, no image has a name, or ``name`` cannot be given to
            the images.
    """
    if not images:
        raise ArchiveInvalid("the archive has no image; export the image again")
    given = _GivenName(name, images) if name else None
    named = [
        _parse_name(image, text)
        for image in images
        for text in image.names or _other_names(image, given)
    ]
    if not named:
        raise ArchiveInvalid(_describe_unnamed(images))
    return list({(item.reference, item.image.digest): item for item in named}.values())


class _GivenName:
    """The name of ``--name``, for images of an archive without one.

    Raises:
        ArchiveInvalid: It is malformed, or cannot be given to these images.
    """

    def __init__(self, text: str, images: Sequence[ArchivedImage]) -> None:
        self._text = text
        unnamed = [image for image in images if not image.names]
        if not unnamed:
            raise ArchiveInvalid(
                f"the archive names its images, such as {images[0]}; leave out --name"
            )
        _, _, last_part = text.rpartition("/")
        named, at, digest = last_part.partition("@")
        self._has_tag = ":" in named
        self._digest = digest if at else ""
        tags = {image.tag for image in unnamed if image.tag}
        if self._digest:
            if self._digest not in {str(image.digest) for image in unnamed}:
                raise ArchiveInvalid(
                    f"no image without a name has the digest {self._digest[:160]!r}; "
                    f"the archive has {list_digests(unnamed)}"
                )
        elif self._has_tag and tags and len(unnamed) > 1:
            raise ArchiveInvalid(
                f"the archive has {len(unnamed)} images, with the tags {_list_tags(tags)}; "
                f"give --name {text.rpartition(':')[0]}, without a tag, to keep them"
            )
        elif not self._has_tag and not tags and len(unnamed) == len(images):
            raise ArchiveInvalid(
                f"the archive has no tag for its image; give --name {text}:TAG"
                + _suggest_digest(unnamed)
            )

    def apply(self, image: ArchivedImage) -> tuple[str, ...]:
        """Return the names of an image."""
        if self._digest:
            return (self._text,) if self._digest == str(image.digest) else ()
        if self._has_tag:
            return (self._text,)
        return (f"{self._text}:{image.tag}" if image.tag else f"{self._text}@{image.digest}",)


def _other_names(image: ArchivedImage, given: _GivenName | None) -> tuple[str, ...]:
    if given is not None:
        return given.apply(image)
    return (image.base_name,) if image.base_name and not image.tag else ()


def _describe_unnamed(images: Sequence[ArchivedImage]) -> str:
    """Return an error for an archive without any name; it says what to do."""
    tags = {image.tag for image in images if image.tag}
    if not tags:
        return (
            "the archive has no name for its image; give --name REPOSITORY:TAG"
            + _suggest_digest(images)
        )
    noun = "its tag is" if len(tags) == 1 else "its tags are"
    return (
        "the archive has no name for its image; "
        f"give --name REPOSITORY ({noun} {_list_tags(tags)})"
    )


def _suggest_digest(images: Sequence[ArchivedImage]) -> str:
    """Return how to choose one of several images without a tag; empty if there is only one."""
    if len({image.digest for image in images}) == 1:
        return ""
    return f"@DIGEST with one of the digests {list_digests(images)}"


def _list_tags(tags: Iterable[str]) -> str:
    return _list_some([repr(tag) for tag in sorted(tags)])


def list_digests(images: Sequence[ArchivedImage]) -> str:
    """Return the digests of images for an error message, each with its platform if it is known."""
    texts = dict.fromkeys(
        f"{image.digest} ({image.platform})" if image.platform else str(image.digest)
        for image in images
    )
    return _list_some(list(texts))


def _list_some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _MAX_LISTED} more" if len(texts) > _MAX_LISTED else ""
    return ", ".join(texts[:_MAX_LISTED]) + more


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
