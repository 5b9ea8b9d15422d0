"""The date of an image: when it was created or, if that is unknown, stored."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, BinaryIO

import attrs

from minreg.oci.names import Digest
from minreg.store.images import LARGEST_CONFIG, StoredImage
from minreg.store.interfaces import ContentNotFound, IRepository

_EARLIEST = 86400.0 * 365
"""Seconds since the epoch. Reproducible builds state 1970-01-01, or year 1, as the date."""

_LONGEST_DATE = 64


@attrs.frozen
class ImageDate:
    """The date of an image.

    Attributes:
        seconds: The date, in seconds since the epoch.
        is_stated: True if it is the date in the image's config (OCI image-spec, config.md,
            "created"); False if it is the modification time of the manifest's file.
    """

    seconds: float
    is_stated: bool


def find_date(repository: IRepository, image: StoredImage) -> ImageDate | None:
    """Return when an image was created or, if its config does not state that, when it was stored.

    For an index, the config of the first platform that is stored is read.

    Returns:
        None if the image cannot be read.
    """
    for stored in image.manifests:
        config = stored.manifest.config
        if stored.platform is None or config is None or config.size > LARGEST_CONFIG:
            continue
        with suppress(ContentNotFound), repository.open_blob(config.digest).file as file:
            created = read_created(file)
            if created is not None:
                return ImageDate(created, is_stated=True)
        break
    return None if image.root is None else _find_file_date(repository, image.root)


def read_created(config: BinaryIO) -> float | None:
    """Return when an image was created, in seconds since the epoch, from its config.

    Returns:
        None if the config has no date, or one that cannot be right.
    """
    try:
        document: Any = json.loads(config.read(LARGEST_CONFIG))
        text = document["created"]
        if len(text) > _LONGEST_DATE:
            return None
        created = datetime.fromisoformat(text)
        if created.tzinfo is None:
            created = created.replace(tzinfo=UTC)
        seconds = created.timestamp()
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    return seconds if seconds > _EARLIEST else None


def _find_file_date(repository: IRepository, root: Digest) -> ImageDate | None:
    with suppress(ContentNotFound):
        content = repository.open_manifest(root)
        content.close()
        if content.modified is not None:
            return ImageDate(content.modified, is_stated=False)
    return None
