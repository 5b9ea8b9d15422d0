"""When an image was made, and when it came into the tree."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, BinaryIO

import attrs

from minreg.oci.names import Digest
from minreg.store.images import LARGEST_CONFIG, StoredImage
from minreg.store.interfaces import ContentNotFound, IRepository

_EARLIEST = 86400.0 * 365
"""Seconds since the epoch. Builds that are to be reproducible state 1970-01-01, or year 1."""

_LONGEST_DATE = 64


@attrs.frozen
class ImageDate:
    """A date of an image, in seconds since the epoch.

    ``is_stated`` is True if the image's config states it (OCI image-spec, config.md,
    "created"), and False if it is the modification time of the manifest's file: when it came into
    the tree.
    """

    seconds: float
    is_stated: bool


def find_date(repository: IRepository, image: StoredImage) -> ImageDate | None:
    """Find when an image was made or, if it does not say that, when it came into the tree.

    Of an index, the config of the first platform that is here counts.

    Returns:
        None if neither can be told.
    """
    for held in image.manifests:
        config = held.manifest.config
        if held.platform is None or config is None or config.size > LARGEST_CONFIG:
            continue
        with suppress(ContentNotFound), repository.open_blob(config.digest).file as file:
            created = read_created(file)
            if created is not None:
                return ImageDate(created, is_stated=True)
        break
    return None if image.root is None else _find_file_date(repository, image.root)


def read_created(config: BinaryIO) -> float | None:
    """Read when an image was made, in seconds since the epoch, from its config.

    Returns:
        None if the config does not say, or says what cannot be.
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
