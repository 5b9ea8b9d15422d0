"""Follows what a node will ask for one image, from its tag to its layers."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial

import attrs

from minreg.oci.manifests import Descriptor, Manifest, Platform
from minreg.oci.names import DOCKER_CONFIG, OCI_CONFIG, Digest
from minreg.preflight.platforms import choose, is_of, runnable, variants
from minreg.preflight.query import WantedImage
from minreg.store.images import (
    LARGEST_CONFIG,
    StoredImage,
    StoredManifest,
    inspect_image,
    is_attestation,
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
"""Manifests, configs and layers of one image; even for all platforms, images have hundreds."""

_LONGEST_PROBLEM = 500

_IMAGE_CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})


def _shorten_all(problems: Iterable[str]) -> tuple[str, ...]:
    return tuple(shorten(problem, _LONGEST_PROBLEM) for problem in problems)


@attrs.frozen
class Checked:
    """An image for one platform, or for all if that is None, and what is wrong with it.

    ``held`` is what is there of it, None if not even its repository is. ``problems`` are
    cut to a length that people read: what an index says of itself may be of any.
    """

    wanted: WantedImage
    platform: Platform | None
    held: StoredImage | None
    problems: tuple[str, ...] = attrs.field(converter=_shorten_all)


def check_image(store: IRegistryStore, wanted: WantedImage, platform: Platform | None) -> Checked:
    """Look whether all of an image is there that a node will ask for.

    That is what its tag or digest names, the manifest for the node's platform, a config
    that really is of that platform, and the layers, each of the right size and such as can
    be read. Nothing is hashed but manifests.

    Raises:
        StoreUnavailable: The store as a whole cannot be read.
    """
    try:
        repository = store.find_repository(wanted.registry, wanted.image.repository)
        held = inspect_image(
            repository, wanted.reference, partial(choose, platform=platform), _MOST_PARTS
        )
        problems = _Chain(repository, held, platform).problems()
        return Checked(wanted, platform, held, problems)
    except RepositoryNotFound:
        return Checked(wanted, platform, None, (_why_unknown(store, wanted),))
    except ContentNotFound as error:
        return Checked(wanted, platform, None, (str(error),))


def _why_unknown(store: IRegistryStore, wanted: WantedImage) -> str:
    """Say why nothing answers to a name: nothing is there, or it has another registry's name."""
    repository, host, registry = wanted.image.repository, wanted.image.host, wanted.registry
    if host != registry:
        with suppress(RepositoryNotFound, ContentNotFound):
            store.find_repository(host, repository)
            return (
                f"{repository} is here for {host}, and not for {registry}, which will be asked: "
                f"serve with --registry-alias {registry}={host}"
            )
    return f"there is no repository {repository}"


@attrs.frozen
class _Chain:
    """What leads from an image's tag to its layers."""

    repository: IRepository
    held: StoredImage
    platform: Platform | None

    def problems(self) -> Iterator[str]:
        """Say what breaks the chain."""
        yield from map(self._with_tags, self.held.problems)
        for child in self.held.absent_manifests:
            yield f"its manifest for {child.platform or 'all platforms'} is not here"
        children = dict(self._children())
        for held in self.held.manifests:
            stated = children.get(held.digest)
            if stated is not None and stated.size != held.size:
                yield f"its index says {stated.size} bytes of a manifest that has {held.size}"
            if held.manifest.is_index:
                yield from self._unoffered(held.manifest)
            else:
                platform = None if stated is None else stated.platform
                yield from self._manifest_problems(held, platform)

    def _with_tags(self, problem: str) -> str:
        """Add to the problem of a tag that is not here some that are."""
        tag = self.held.reference
        if self.held.root is not None or not isinstance(tag, str):
            return problem
        with suppress(RepositoryNotFound, ContentNotFound):
            tags = self.repository.list_tags()
            if tags and tag not in tags:
                return f"{problem}, which has {name_some(tags, tag)}"
        return problem

    def _children(self) -> Iterator[tuple[Digest, Descriptor]]:
        """Go through what the indexes say of the manifests that are looked at."""
        for held in self.held.manifests:
            for child in choose(held.manifest, self.platform):
                yield child.digest, child

    def _unoffered(self, index: Manifest) -> Iterator[str]:
        if choose(index, self.platform):
            return
        offered = ", ".join(
            str(child.platform) for child in index.manifests if not is_attestation(child)
        )
        if self.platform is None or not offered:
            yield "its index names no image"
        else:
            yield f"it has no image for {self.platform}, only for {offered}"

    def _manifest_problems(self, held: StoredManifest, stated: Platform | None) -> Iterator[str]:
        manifest = held.manifest
        if manifest.config is None:
            yield f"its manifest {held.digest} names no config"
        for blob in manifest.blobs:
            yield from self._blob_problems(blob)
        yield from self._config_problems(manifest.config, stated)

    def _blob_problems(self, blob: Descriptor) -> Iterator[str]:
        """See whether a blob that is there can be read by whoever serves it."""
        if blob.digest not in self.held.faulty:
            try:
                self.repository.open_known_blob(blob.digest).close()
            except ContentNotFound as error:
                yield str(error)

    def _config_problems(
        self, config: Descriptor | None, stated: Platform | None
    ) -> Iterator[str]:
        """Compare what an image says of itself with what it is taken for."""
        if config is None or config.media_type not in _IMAGE_CONFIGS:
            return
        if config.digest in self.held.faulty or config.size > LARGEST_CONFIG:
            return
        with suppress(ContentNotFound):
            with self.repository.open_known_blob(config.digest) as file:
                found = read_platform(file)
            if found is None:
                yield f"config {config.digest} does not say which platform it is for"
            elif not self._fits(found, stated):
                yield f"config {config.digest} is for {found}, not for {stated or self.platform}"

    def _fits(self, found: Platform, stated: Platform | None) -> bool:
        """Tell whether a config is of the platform that the index, or else the node, says."""
        if stated is not None:
            return is_of(found, variants(stated))
        return self.platform is None or is_of(found, runnable(self.platform))
