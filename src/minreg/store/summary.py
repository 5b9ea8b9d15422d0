"""Summaries of repositories, for the page that lists them all."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress

from minreg.oci.manifests import Manifest
from minreg.oci.names import Digest
from minreg.oci.platforms import UNKNOWN_OS, Platform
from minreg.store.directory import ParsedManifest, RepositoryDirectory
from minreg.store.images import LARGEST_CONFIG, read_platform
from minreg.store.index import RepositoryIndex
from minreg.store.interfaces import ContentInvalid, RepositorySummary, TooLarge

MOST_MANIFESTS = 500
"""Files in ``manifests`` up to which a summary is made: half a second's work on a slow node."""


def check_size_limit(directory: RepositoryDirectory) -> None:
    """Check that a repository is not too large for a summary.

    Raises:
        TooLarge: It has more than ``MOST_MANIFESTS`` files in ``manifests``.
        FileNotFoundError: The repository does not exist any more.
    """
    with directory.scan() as (_, entries):
        if sum(not entry.is_symlink() for entry in entries) > MOST_MANIFESTS:
            raise TooLarge(f"{directory.name} has more than {MOST_MANIFESTS} manifests")


def summarize_repository(
    directory: RepositoryDirectory, index: RepositoryIndex, tags: Sequence[str]
) -> RepositorySummary:
    """Return the summary of a repository.

    Args:
        directory: The repository.
        index: Its index.
        tags: Its tags.

    Raises:
        FileNotFoundError: The repository does not exist any more.
    """
    read = ((digest, directory.read_if_valid(path)) for digest, path in index.paths.items())
    manifests = {digest: parsed for digest, parsed in read if parsed is not None}
    blobs = {digest: max(sizes) for digest, sizes in index.blob_sizes.items()}
    return RepositorySummary(
        tags=tuple(tags),
        platforms=tuple(sorted(set(_platforms(directory, index, manifests)), key=str)),
        size=sum(parsed.size for parsed in manifests.values()) + sum(blobs.values()),
        missing=sum(
            not _is_complete(directory, digest, sizes)
            for digest, sizes in index.blob_sizes.items()
        ),
        changed=directory.status().st_mtime,
    )


def _is_complete(directory: RepositoryDirectory, digest: Digest, sizes: Collection[int]) -> bool:
    with suppress(ContentInvalid):
        return directory.measure_blob(digest) in sizes
    return False


def _platforms(
    directory: RepositoryDirectory,
    index: RepositoryIndex,
    manifests: dict[Digest, ParsedManifest],
) -> Iterator[Platform]:
    """Yield the platforms of the images: as an index states them, or else their configs."""
    for digest, parsed in manifests.items():
        if parsed.manifest.is_index or parsed.manifest.subject is not None:
            continue
        platform = index.platforms.get(digest) or _platform_of_config(directory, parsed.manifest)
        if platform is not None and platform.os != UNKNOWN_OS:
            yield platform


def _platform_of_config(directory: RepositoryDirectory, manifest: Manifest) -> Platform | None:
    config = manifest.config
    if config is None or config.size > LARGEST_CONFIG:
        return None
    with suppress(FileNotFoundError, ContentInvalid):
        with directory.open(f"blobs/{config.digest}").file as file:
            return read_platform(file)
    return None
