"""What a repository holds, in a few words: for a list of many."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress

from minreg.oci.manifests import Descriptor, Manifest, Platform
from minreg.oci.names import Digest, is_tag
from minreg.store.directory import RepositoryDirectory, digest_in_name
from minreg.store.images import LARGEST_CONFIG, is_attestation, read_platform
from minreg.store.index import RepositoryIndex
from minreg.store.interfaces import ContentInvalid, RepositorySummary, TooLarge
from minreg.store.manifest_cache import ParsedManifest

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
    return RepositorySummary(
        tags=tuple(tags),
        platforms=tuple(sorted(set(_platforms(directory, survey, documents)), key=str)),
        images=_count_images(documents),
        sizes={digest: max(sizes) for digest, sizes in survey.blob_sizes.items()}
        | {digest: document.size for digest, document in documents.items()},
        missing=sum(
            not _is_whole(directory, digest, sizes) for digest, sizes in survey.blob_sizes.items()
        ),
        broken=_count_broken_files(directory, documents)
        + sum(_is_broken(document.manifest, documents) for document in documents.values()),
        changed=directory.status().st_mtime,
    )


def _count_images(documents: Mapping[Digest, ParsedManifest]) -> int:
    """Count the manifests and indexes that no index lists and that refer to no other."""
    listed = {
        child.digest for document in documents.values() for child in document.manifest.manifests
    }
    return sum(
        digest not in listed and document.manifest.subject is None
        for digest, document in documents.items()
    )


def _count_broken_files(
    directory: RepositoryDirectory, documents: Mapping[Digest, ParsedManifest]
) -> int:
    """Count the manifests and tags that lead to no manifest that can be served."""
    with directory.scan() as (_, entries):
        names = {entry.name: entry.is_symlink() for entry in entries}
    broken = 0
    for name, is_link in names.items():
        digest = digest_in_name(name)
        if digest is not None:
            broken += digest not in documents
        elif is_tag(name):
            linked = directory.digest_linked_by(name) if is_link else None
            # A broken file counts once, however many tags lead to it.
            if linked is None or (linked not in documents and str(linked) not in names):
                broken += directory.read_if_sound(f"manifests/{name}") is None
    return broken


def _is_broken(manifest: Manifest, documents: Mapping[Digest, ParsedManifest]) -> bool:
    """Return whether a manifest names parts that cannot be found; platforms may be absent."""
    if any(not what.startswith("subject") for what in manifest.malformed):
        return True
    images = [child.digest for child in manifest.manifests if not is_attestation(child)]
    return bool(images) and not any(digest in documents for digest in images)


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
