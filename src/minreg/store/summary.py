"""Summaries of repositories, for the page that lists them all."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress

from minreg.oci.manifests import Manifest
from minreg.oci.names import Digest, is_tag
from minreg.oci.platforms import UNKNOWN_OS, Platform
from minreg.store.cache import ParsedManifest
from minreg.store.images import LARGEST_CONFIG, read_platform
from minreg.store.index import RepositoryDirectory, RepositoryIndex, digest_in_name
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
    not_distributed = set(_find_not_distributed(directory, manifests))
    return RepositorySummary(
        tags=tuple(tags),
        platforms=tuple(sorted(set(_platforms(directory, index, manifests)), key=str)),
        images=_count_images(manifests),
        sizes={digest: max(sizes) for digest, sizes in index.blob_sizes.items()}
        | {digest: parsed.size for digest, parsed in manifests.items()},
        missing=sum(
            digest not in not_distributed and not _is_complete(directory, digest, sizes)
            for digest, sizes in index.blob_sizes.items()
        ),
        broken=_count_broken_files(directory, manifests)
        + sum(_is_broken(parsed.manifest, manifests) for parsed in manifests.values()),
        changed=directory.status().st_mtime,
    )


def _find_not_distributed(
    directory: RepositoryDirectory, manifests: Mapping[Digest, ParsedManifest]
) -> Iterator[Digest]:
    """Yield the layers that do not exist, and that registries need not have.

    An image of an index may lack them, as some images of Windows do.
    """
    listed = {child.digest for parsed in manifests.values() for child in parsed.manifest.manifests}
    for digest, parsed in manifests.items():
        for blob in parsed.manifest.layers if digest in listed else ():
            if blob.is_nondistributable:
                with suppress(ContentInvalid):
                    if directory.measure_blob(blob.digest) is None:
                        yield blob.digest


def _count_images(manifests: Mapping[Digest, ParsedManifest]) -> int:
    """Count the manifests and indexes that no index lists and that refer to no other."""
    listed = {child.digest for parsed in manifests.values() for child in parsed.manifest.manifests}
    return sum(
        digest not in listed and parsed.manifest.subject is None
        for digest, parsed in manifests.items()
    )


def _count_broken_files(
    directory: RepositoryDirectory, manifests: Mapping[Digest, ParsedManifest]
) -> int:
    """Count the manifests and tags that lead to no manifest that can be served."""
    with directory.scan() as (_, entries):
        names = {entry.name: entry.is_symlink() for entry in entries}
    broken = 0
    for name, is_link in names.items():
        digest = digest_in_name(name)
        if digest is not None:
            broken += digest not in manifests
        elif is_tag(name):
            linked = directory.digest_linked_by(name) if is_link else None
            # A broken file counts once, however many tags lead to it.
            if linked is None or (linked not in manifests and str(linked) not in names):
                broken += directory.read_if_valid(f"manifests/{name}") is None
    return broken


def _is_broken(manifest: Manifest, manifests: Mapping[Digest, ParsedManifest]) -> bool:
    """Return whether a manifest names parts that do not exist; platforms may be absent."""
    if any(not what.startswith("subject") for what in manifest.malformed):
        return True
    images = [child.digest for child in manifest.images]
    return bool(images) and not any(digest in manifests for digest in images)


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
