"""Chooses the images of an archive that are imported, and their names."""

import io
from collections import defaultdict
from collections.abc import Sequence

import attrs

from minreg.fill.archives.contents import DOCKER_DOCUMENT, INDEX, ArchiveContents
from minreg.fill.archives.docker_archive import list_docker_images
from minreg.fill.archives.naming import (
    ArchivedImage,
    NamedImage,
    list_digests,
    name_images,
    parse_valid_manifest,
)
from minreg.fill.archives.oci_layout import has_all_layers, is_oci_layout, list_oci_images
from minreg.fill.archives.referrers import (
    ArchivedReferrer,
    separate_referrers,
)
from minreg.fill.archives.unsupported import describe_unsupported
from minreg.fill.errors import ArchiveInvalid
from minreg.fill.platforms import is_requested
from minreg.oci.names import ImageReference
from minreg.oci.platforms import UNKNOWN_OS, Platform
from minreg.store.images import read_platform


def list_images(contents: ArchiveContents) -> list[ArchivedImage]:
    """Return the entries of an archive, with their own digests if it states them.

    An archive can be an OCI layout and a docker-archive at once. The layout is preferred,
    because it has the images' own manifests; but some versions of Docker leave its index empty,
    or list too few layers in it.

    Raises:
        ArchiveInvalid: It is no image archive, or is damaged.
    """
    if not is_oci_layout(contents):
        if contents.document(DOCKER_DOCUMENT) is None:
            raise ArchiveInvalid(describe_unsupported(contents.paths))
        return list_docker_images(contents)
    images = list_oci_images(contents)
    if contents.document(DOCKER_DOCUMENT) is None:
        return images
    is_complete = all(has_all_layers(contents, image) for image in images)
    return images if images and is_complete else list_docker_images(contents)


@attrs.frozen
class ArchiveSelection:
    """What is imported of an archive.

    Attributes:
        images: The images, each once per name.
        referrers: The referrers of the archive, which are imported with their subjects.
        left_out: A sentence for each entry that is left out because it has no name.
    """

    images: tuple[NamedImage, ...]
    referrers: tuple[ArchivedReferrer, ...]
    left_out: tuple[str, ...]


def select_images(
    contents: ArchiveContents, name: str, platforms: Sequence[Platform]
) -> ArchiveSelection:
    """Choose the images of an archive that are imported, and name them.

    Args:
        contents: The archive, read to its end.
        name: The name for images without one; see ``name_images``.
        platforms: The selected platforms; empty for all.

    Raises:
        ArchiveInvalid: It is no image archive, is damaged, has nothing for the selected
            platforms, or cannot be named.
    """
    entries = list_images(contents)
    if name and _is_one_index(entries):
        # The archive's own index is that of one image, without a level between them.
        entries = [ArchivedImage(contents.add_manifest(contents.document(INDEX) or b""))]
    images, referrers = separate_referrers(contents, entries)
    selected = [image for image in images if is_requested(image.platform, platforms)]
    if images and not selected:
        raise ArchiveInvalid(
            "the archive has nothing for the selected platforms, only for "
            f"{_list_platforms([image.platform for image in images])}; "
            "choose one of these with --platform"
        )
    named = _choose_platforms(contents, name_images(selected, name), platforms)
    named_digests = {item.image.digest for item in named}
    left_out = tuple(
        f"left out {image.digest}: the archive has no name for it; give --name REPOSITORY to "
        "keep it"
        for image in selected
        if not image.names and image.digest not in named_digests
    )
    return ArchiveSelection(tuple(named), tuple(referrers), left_out)


def _is_one_index(entries: Sequence[ArchivedImage]) -> bool:
    """Return whether an archive lists the platforms of one image, and nothing else.

    So some build tools write an image for several platforms: without an index of its own, and
    without a name.
    """
    if not all(entry.is_unnamed and entry.platform for entry in entries):
        return False
    platforms = {entry.platform for entry in entries if entry.platform is not None}
    return len([platform for platform in platforms if platform.os != UNKNOWN_OS]) > 1


def _choose_platforms(
    contents: ArchiveContents, named: Sequence[NamedImage], platforms: Sequence[Platform]
) -> list[NamedImage]:
    """Return one image for each name, the one for the selected platform.

    Raises:
        ArchiveInvalid: There are several of one name, and no platform is selected, or it does
            not choose between them.
    """
    by_reference: dict[ImageReference, list[NamedImage]] = defaultdict(list)
    for item in named:
        by_reference[item.reference].append(item)
    return [_choose_platform(contents, items, platforms) for items in by_reference.values()]


def _choose_platform(
    contents: ArchiveContents, items: Sequence[NamedImage], platforms: Sequence[Platform]
) -> NamedImage:
    if len(items) == 1:
        return items[0]
    offered = [_find_platform(contents, item.image) for item in items]
    chosen = [
        item
        for item, platform in zip(items, offered, strict=True)
        if platforms and platform is not None and is_requested(platform, platforms)
    ]
    if len(chosen) != 1:
        raise ArchiveInvalid(_describe_conflict(items, offered))
    return chosen[0]


def _describe_conflict(items: Sequence[NamedImage], offered: Sequence[Platform | None]) -> str:
    """Return an error for several images of one name; it says how to choose one."""
    reference = items[0].reference
    if None not in offered and len(set(offered)) == len(offered):
        return (
            f"the archive has different images with the name {reference}, for "
            f"{_list_platforms(offered)}; choose one with --platform"
        )
    digests = list_digests([item.image for item in items])
    if any(not item.image.names for item in items):
        return (
            f"the archive has {len(items)} images without a name, and --name names only one; "
            f"append @ and the digest of one to the name: {digests}"
        )
    return (
        f"the archive has different images with the name {reference} ({digests}); "
        "export them under different names"
    )


def _list_platforms(platforms: Sequence[Platform | None]) -> str:
    return ", ".join(sorted({str(platform) for platform in platforms}))


def _find_platform(contents: ArchiveContents, image: ArchivedImage) -> Platform | None:
    """Return the platform of an image, from the archive's index or else from its config."""
    if image.platform is not None:
        return image.platform
    config = parse_valid_manifest(str(image), contents.read_file(image.digest)).config
    if config is None or not contents.has_file(config.digest):
        return None
    platform = read_platform(io.BytesIO(contents.read_file(config.digest)))
    return platform if platform is not None and platform.os else None
