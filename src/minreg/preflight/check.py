"""Checking one image: from its tag, through index and manifest, to its config and layers."""

from collections.abc import Iterable, Iterator
from contextlib import suppress

import attrs

from minreg.oci.manifests import Descriptor, Manifest
from minreg.oci.names import DOCKER_CONFIG, OCI_CONFIG, Digest
from minreg.oci.platforms import (
    Platform,
    compatible_variants,
    config_matches,
    runnable_platforms,
)
from minreg.preflight.query import RequiredImage
from minreg.store.images import (
    LARGEST_CONFIG,
    StoredImage,
    StoredManifest,
    inspect_image,
    read_platform,
)
from minreg.store.interfaces import (
    ContentNotFound,
    IRegistryStore,
    IRepository,
    RepositoryNotFound,
)
from minreg.text import name_some, shorten

_MOST_PARTS = 5000
"""Manifests, configs and layers of one image. With all platforms, images have some hundreds."""

_LONGEST_PROBLEM = 500

_IMAGE_CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})


def _shorten_all(problems: Iterable[str]) -> tuple[str, ...]:
    return tuple(shorten(problem, _LONGEST_PROBLEM) for problem in problems)


@attrs.frozen
class CheckedImage:
    """The result of checking an image for one platform.

    Attributes:
        required: The image.
        platform: The platform, None for all.
        stored: What the store has of the image, None if it has not even the repository.
        problems: What is wrong, a sentence for each. They are shortened: an index may name
            platforms of any length.
    """

    required: RequiredImage
    platform: Platform | None
    stored: StoredImage | None
    problems: tuple[str, ...] = attrs.field(converter=_shorten_all)


def check_image(
    store: IRegistryStore, required: RequiredImage, platform: Platform | None
) -> CheckedImage:
    """Check whether the store has everything of an image that a node will pull.

    That is the manifest or index that the tag or digest names, the manifest for the node's
    platform, a config that states that platform, and the layers, each with the right size and
    readable. Blobs are not hashed.

    Args:
        store: The store.
        required: The image.
        platform: The node's platform, None for all platforms of the image.

    Raises:
        StoreUnavailable: The store as a whole cannot be read.
    """
    try:
        repository = store.find_repository(required.registry, required.image.repository)
        stored = inspect_image(
            repository, required.reference, lambda index: index.choose(platform), _MOST_PARTS
        )
        problems = _ImageCheck(repository, stored, platform).problems()
        return CheckedImage(required, platform, stored, problems)
    except RepositoryNotFound:
        return CheckedImage(required, platform, None, (_why_unknown(store, required),))
    except ContentNotFound as error:
        return CheckedImage(required, platform, None, (str(error),))


def _why_unknown(store: IRegistryStore, required: RequiredImage) -> str:
    """Return why there is no repository: it may be stored for another registry."""
    repository, host = required.image.repository, required.image.host
    registry = required.registry
    if host != registry:
        with suppress(RepositoryNotFound, ContentNotFound):
            store.find_repository(host, repository)
            return (
                f"{repository} is stored for {host}, and not for {registry}, which nodes ask: "
                f"serve with --registry-alias {registry}={host}"
            )
    return f"there is no repository {repository}"


@attrs.frozen
class _ImageCheck:
    """The check of one image that the store has, complete or not."""

    repository: IRepository
    stored: StoredImage
    platform: Platform | None

    def problems(self) -> Iterator[str]:
        """Yield what is wrong."""
        yield from map(self._with_tags, self.stored.problems)
        for absent in self.stored.absent_manifests:
            yield from self._check_absent(absent)
        children = dict(self._children())
        for stored in self.stored.manifests:
            child = children.get(stored.digest)
            if child is not None and child.size != stored.size:
                yield f"its index says {child.size} bytes of a manifest that has {stored.size}"
            if stored.manifest.is_index:
                yield from self._check_index(stored.manifest)
            else:
                yield from self._check_manifest(stored, None if child is None else child.platform)

    def _check_absent(self, absent: Descriptor) -> Iterator[str]:
        """Check whether a platform that is not here is needed.

        If all platforms are, those are not that no registry needs to have.
        """
        platform = absent.platform or "all platforms"
        if absent.digest in self.stored.nondistributable:
            if self.platform is not None or not self.stored.present:
                yield f"{platform} is not here: registries need not have its layers"
        elif any(absent.digest == stored.digest for stored in self.stored.metadata):
            yield f"its layers for {platform} are not here"
        else:
            yield f"its manifest for {platform} is not here"

    def _with_tags(self, problem: str) -> str:
        """Add existing tags to the problem of a tag that does not exist."""
        tag = self.stored.reference
        if self.stored.root is not None or not isinstance(tag, str):
            return problem
        with suppress(RepositoryNotFound, ContentNotFound):
            tags = self.repository.list_tags()
            if tags and tag not in tags:
                return f"{problem}, which has {name_some(tags, tag)}"
        return problem

    def _children(self) -> Iterator[tuple[Digest, Descriptor]]:
        """Yield the descriptors, in the indexes, of the manifests that are checked."""
        for stored in self.stored.manifests:
            for child in stored.manifest.choose(self.platform):
                yield child.digest, child

    def _check_index(self, index: Manifest) -> Iterator[str]:
        if index.choose(self.platform):
            return
        offered = ", ".join(str(child.platform) for child in index.images)
        if self.platform is None or not offered:
            yield "its index names no image"
        else:
            yield f"it has no image for {self.platform}, only for {offered}"

    def _check_manifest(self, stored: StoredManifest, expected: Platform | None) -> Iterator[str]:
        manifest = stored.manifest
        if manifest.config is None:
            yield f"its manifest {stored.digest} names no config"
        for blob in manifest.blobs:
            yield from self._check_blob(blob)
        yield from self._check_config(manifest.config, expected)

    def _check_blob(self, blob: Descriptor) -> Iterator[str]:
        """Check that a blob of the right size can be opened."""
        if blob.digest not in self.stored.faulty:
            try:
                self.repository.open_known_blob(blob.digest).close()
            except ContentNotFound as error:
                yield str(error)

    def _check_config(self, config: Descriptor | None, expected: Platform | None) -> Iterator[str]:
        """Compare the platform in an image's config with the one that its index states."""
        if config is None or config.media_type not in _IMAGE_CONFIGS:
            return
        if config.digest in self.stored.faulty or config.size > LARGEST_CONFIG:
            return
        with suppress(ContentNotFound):
            with self.repository.open_known_blob(config.digest) as file:
                stated = read_platform(file)
            if stated is None:
                yield f"config {config.digest} does not state its platform"
            elif not self._is_expected(stated, expected):
                needed = expected or self.platform
                yield f"config {config.digest} is for {stated}, not for {needed}"

    def _is_expected(self, stated: Platform, expected: Platform | None) -> bool:
        """Return whether a config's platform is that of the index, or else of the node."""
        if expected is not None:
            return config_matches(stated, compatible_variants(expected))
        return self.platform is None or config_matches(stated, runnable_platforms(self.platform))
