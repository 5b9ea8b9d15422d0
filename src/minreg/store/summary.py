"""What a repository holds, in a few words: for a list of many."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress

from minreg.oci.manifests import Descriptor, Manifest, Platform
from minreg.oci.names import Digest
from minreg.store.directory import ParsedManifest, RepositoryDirectory
from minreg.store.images import LARGEST_CONFIG, read_platform
from minreg.store.index import RepositoryIndex
from minreg.store.interfaces import ContentInvalid, RepositorySummary, TooLarge

MOST_MANIFESTS = 500
"""Files of manifests and tags that are summed up: half a second's work on a slow node."""


def check_size_limit(directory: RepositoryDirectory) -> None:
    """Make sure that a repository is not too large to be summed up.

    Raises:
        TooMuch: It is.
        FileNotFoundError: It is there no longer.
    """
    with directory.scan() as (_, entries):
        if sum(not entry.is_symlink() for entry in entries) > MOST_MANIFESTS:
            raise TooLarge(f"{directory.name} has more than {MOST_MANIFESTS} manifests")


def summarize_repository(
    directory: RepositoryDirectory, survey: RepositoryIndex, tags: Sequence[str]
) -> RepositorySummary:
    """Sum up a repository.

    Args:
        directory: Where it lies.
        survey: What its manifests say.
        tags: Its tags.

    Raises:
        FileNotFoundError: It is there no longer.
    """
    read = ((digest, directory.read_if_sound(place)) for digest, place in survey.places.items())
    documents = {digest: document for digest, document in read if document is not None}
    blobs = {digest: max(sizes) for digest, sizes in survey.blob_sizes.items()}
    return RepositorySummary(
        tags=tuple(tags),
        platforms=tuple(sorted(set(_platforms(directory, survey, documents)), key=str)),
        size=sum(document.size for document in documents.values()) + sum(blobs.values()),
        missing=sum(
            not _is_whole(directory, digest, sizes) for digest, sizes in survey.blob_sizes.items()
        ),
        changed=directory.status().st_mtime,
    )


def _is_whole(directory: RepositoryDirectory, digest: Digest, sizes: Collection[int]) -> bool:
    with suppress(ContentInvalid):
        return directory.blob_size(digest) in sizes
    return False


def _platforms(
    directory: RepositoryDirectory,
    survey: RepositoryIndex,
    documents: dict[Digest, ParsedManifest],
) -> Iterator[Platform]:
    """Name the platforms of the images that are here: as an index says, or their configs."""
    for digest, document in documents.items():
        if document.manifest.is_index or document.manifest.subject is not None:
            continue
        platform = survey.platforms.get(digest) or _stated(directory, document.manifest)
        if platform is not None and platform.os != "unknown":
            yield platform


def _stated(directory: RepositoryDirectory, manifest: Manifest) -> Platform | None:
    config: Descriptor | None = manifest.config
    if config is None or config.size > LARGEST_CONFIG:
        return None
    with suppress(FileNotFoundError, ContentInvalid):
        with directory.open(f"blobs/{config.digest}").file as file:
            return read_platform(file)
    return None
