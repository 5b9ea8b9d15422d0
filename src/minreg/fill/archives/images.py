"""Which images an archive holds: what each is called, and its manifest or index."""

import json
from typing import Any

import attrs

from minreg.fill.archives.failures import ArchiveInvalid
from minreg.manifests import Manifest, ManifestInvalid, Platform, parse_manifest
from minreg.names import Digest, DigestInvalid


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
