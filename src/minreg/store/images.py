"""Inspecting an image of a repository: its manifests, its blobs, and what is missing or wrong."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import BinaryIO

import attrs

from minreg.oci.manifests import Descriptor, Manifest, parse_manifest
from minreg.oci.names import Digest
from minreg.oci.platforms import UNKNOWN_OS, Platform
from minreg.store.interfaces import ContentInvalid, ContentNotFound, IRepository


@attrs.frozen
class StoredManifest:
    """A manifest or an index of an image.

    Attributes:
        digest: Its digest.
        size: Its size, in bytes.
        manifest: What it says.
        platform: The platform of the image, None for an index, an artifact and a referrer.
    """

    digest: Digest
    size: int
    manifest: Manifest
    platform: Platform | None

    @property
    def is_referrer(self) -> bool:
        """Whether it is about another manifest, as a signature is, and not an image itself."""
        return self.manifest.subject is not None


@attrs.frozen
class StoredImage:
    """An image of a tree.

    Attributes:
        repository_path: The path of its repository below the root directory of the tree.
        reference: The tag or digest that names it.
        root: The digest of the manifest or index that the reference names, None if there is none.
        manifests: The manifests and indexes that exist.
        blobs: The descriptor of each config and layer, of the image and of its referrers.
        faulty: The blobs that do not exist, have another size or cannot be read.
        absent_manifests: The manifests that an index names and that do not exist, or exist
            without their layers.
        problems: What is wrong with it, a sentence for each.
        is_readable: False if a manifest could not be read completely, so that there may be
            content of the image that is not listed here.
        metadata: Those of ``absent_manifests`` that are stored without their layers.
        nondistributable: Those of ``metadata`` that lack layers which registries need not have.
    """

    repository_path: str
    reference: str | Digest
    root: Digest | None
    manifests: tuple[StoredManifest, ...]
    blobs: Mapping[Digest, Descriptor]
    faulty: frozenset[Digest]
    absent_manifests: tuple[Descriptor, ...]
    problems: tuple[str, ...]
    is_readable: bool
    metadata: tuple[StoredManifest, ...] = ()
    nondistributable: frozenset[Digest] = frozenset()

    @property
    def metadata_blobs(self) -> Mapping[Digest, Descriptor]:
        """The blobs that belong to ``metadata``: the configs.

        Other layers of a manifest that lacks one belong to it, too: they are not removed.
        """
        blobs: dict[Digest, Descriptor] = {}
        for stored in self.metadata:
            is_incomplete = stored.digest in self.nondistributable
            for blob in stored.manifest.blobs:
                if is_incomplete or blob is stored.manifest.config:
                    blobs[blob.digest] = blob
        return blobs

    @property
    def documents(self) -> Mapping[Digest, int]:
        """The manifests and indexes: the size in bytes of each, by digest."""
        return {stored.digest: stored.size for stored in self.manifests}

    @property
    def present(self) -> tuple[Platform, ...]:
        """The platforms whose manifests exist, whether or not their layers do."""
        return tuple(stored.platform for stored in self.manifests if stored.platform is not None)

    @property
    def absent(self) -> tuple[Platform, ...]:
        """The platforms that an index names and whose manifests or layers do not exist."""
        return tuple(
            child.platform
            for child in self.absent_manifests
            if child.platform is not None and not child.is_attestation
        )

    @property
    def size(self) -> int:
        """Bytes of all manifests and blobs."""
        return sum(self.documents.values()) + sum(blob.size for blob in self.blobs.values())

    def __str__(self) -> str:
        separator = "@" if isinstance(self.reference, Digest) else ":"
        return f"{self.repository_path}{separator}{self.reference}"


LARGEST_CONFIG = 8 * 1024 * 1024
"""Bytes of a config that are read to learn an image's platform."""

_DEEPEST = 32
"""How many manifests may lead to each other. Clients follow an index or two; a signature of an
image, and a signature of that, add a few."""


Choose = Callable[[Manifest], Sequence[Descriptor]]
"""Returns the manifests of an index that are to be inspected."""


class _TooManyParts(Exception):
    """An image has more parts than are to be inspected."""


def inspect_image(
    repository: IRepository,
    reference: str | Digest,
    choose: Choose | None = None,
    most: float = math.inf,
) -> StoredImage:
    """Inspect an image of a repository. Its blobs are not hashed.

    Args:
        repository: The repository.
        reference: The image's tag or digest.
        choose: Returns the manifests of an index to inspect. If it is None, all of them are,
            and also the image's referrers.
        most: How many manifests, configs and layers to inspect. An image that has more is
            returned with nothing but a problem that says so.
    """
    try:
        return _ImageInspection(repository, choose, most).run(reference)
    except _TooManyParts:
        problem = f"it has more than {most} manifests and layers, too many to inspect"
        return StoredImage(
            repository.name,
            reference,
            None,
            (),
            {},
            frozenset(),
            (),
            (problem,),
            is_readable=False,
        )


def read_platform(config: BinaryIO) -> Platform | None:
    """Return the platform that an image's config states; None if it states none."""
    try:
        document = json.loads(config.read(LARGEST_CONFIG))
        return Platform(
            str(document["os"]), str(document["architecture"]), str(document.get("variant", ""))
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


class _ImageInspection:
    """The inspection of one image; see ``inspect_image``."""

    def __init__(self, repository: IRepository, choose: Choose | None, most: float) -> None:
        self._repository = repository
        self._choose = choose
        self._left = most
        self._manifests: dict[Digest, StoredManifest] = {}
        self._blobs: dict[Digest, Descriptor] = {}
        self._faulty: set[Digest] = set()
        self._absent: list[Descriptor] = []
        self._metadata: dict[Digest, StoredManifest] = {}
        self._nondistributable: set[Digest] = set()
        self._problems: list[str] = []
        self._is_readable = True
        self._depth = 0

    def run(self, reference: str | Digest) -> StoredImage:
        try:
            root = self._add(reference, None)
        except ContentNotFound as error:
            root = None
            self._is_readable = False
            self._problems.append(str(error))
        return StoredImage(
            self._repository.name,
            reference,
            root,
            tuple(self._manifests.values()),
            self._blobs,
            frozenset(self._faulty),
            tuple(self._absent),
            tuple(self._problems),
            self._is_readable,
            tuple(self._metadata.values()),
            frozenset(self._nondistributable),
        )

    def _add(self, reference: str | Digest, platform: Platform | None) -> Digest:
        """Add a manifest or an index with everything that it names, and return its digest."""
        content = self._repository.open_manifest(reference)
        with content.file:
            manifest = parse_manifest(content.file.read())
        digest: Digest = content.digest
        if digest in self._manifests:
            return digest
        own_platform = None if manifest.is_index else self._find_platform(manifest, platform)
        stored = StoredManifest(digest, content.size, manifest, own_platform)
        self._check_has_layers(stored, is_metadata=content.is_metadata)
        self._manifests[digest] = stored
        self._check_malformed(digest, manifest)
        if manifest.is_index:
            self._add_children(manifest)
        else:
            self._add_blobs(manifest)
        if self._choose is None:
            for referrer in self._repository.list_referrers(digest):
                self._add_child(referrer, "referrer, ")
        return digest

    def _check_has_layers(self, stored: StoredManifest, *, is_metadata: bool) -> None:
        """Check that a manifest is not stored without its layers.

        An image of an index may lack layers that registries do not distribute.

        Raises:
            ContentNotFound: It is.
        """
        lacks_nondistributable = self._depth > 0 and any(
            blob.is_nondistributable and self._is_missing(blob) for blob in stored.manifest.layers
        )
        if lacks_nondistributable:
            self._nondistributable.add(stored.digest)
        if is_metadata or lacks_nondistributable:
            self._metadata[stored.digest] = stored
            raise ContentNotFound(f"manifest {stored.digest} is here without its layers")

    def _is_missing(self, blob: Descriptor) -> bool:
        with suppress(ContentInvalid):
            return self._repository.measure_blob(blob.digest) is None
        return False

    def _check_malformed(self, digest: Digest, manifest: Manifest) -> None:
        """Report malformed descriptors, except the subject, which is not part of the image."""
        malformed = [part for part in manifest.malformed if not part.startswith("subject")]
        if malformed:
            self._is_readable = False
            more = f", and {len(malformed) - 1} more like that" if malformed[1:] else ""
            self._problems.append(f"manifest {digest} is malformed: {malformed[0]}{more}")

    def _add_children(self, index: Manifest) -> None:
        if self._choose is not None:
            for child in self._counted(self._choose(index)):
                self._add_child(child, "")
            return
        exist = [self._add_child(child, "") for child in self._counted(index.manifests)]
        if index.images and not any(exist):
            # Their blobs may exist all the same, and cannot be known without the manifests.
            self._is_readable = False
            self._problems.append("none of its platforms is here")

    def _add_child(self, child: Descriptor, kind: str) -> bool:
        """Add a manifest, and return whether it exists: an index may be sparse."""
        self._depth += 1
        try:
            self._check_depth()
            self._add(child.digest, child.platform)
        except ContentInvalid as error:
            self._is_readable = False
            self._problems.append(f"{kind}manifest {child.digest}: {error}")
        except ContentNotFound:
            self._absent.append(child)
            return False
        finally:
            self._depth -= 1
        return True

    def _counted(self, parts: Sequence[Descriptor]) -> Sequence[Descriptor]:
        """Count parts before any of them is inspected."""
        self._left -= len(parts)
        if self._left < 0:
            raise _TooManyParts
        return parts

    def _check_depth(self) -> None:
        if self._depth > _DEEPEST:
            raise ContentInvalid(f"{_DEEPEST} others lead to it, more than any client follows")

    def _add_blobs(self, manifest: Manifest) -> None:
        for blob in self._counted(tuple(manifest.blobs)):
            if blob.digest not in self._blobs:
                self._blobs[blob.digest] = blob
                self._check_presence(blob, "config" if blob is manifest.config else "layer")

    def _check_presence(self, blob: Descriptor, kind: str) -> None:
        try:
            size = self._repository.measure_blob(blob.digest)
        except ContentInvalid as error:
            self._faulty.add(blob.digest)
            self._problems.append(f"{kind} {blob.digest}: {error}")
            return
        if size != blob.size:
            self._faulty.add(blob.digest)
        if size is None:
            self._problems.append(f"{kind} {blob.digest} is missing")
        elif size != blob.size:
            self._problems.append(
                f"{kind} {blob.digest} has {size} bytes, and should have {blob.size}"
            )

    def _find_platform(self, manifest: Manifest, stated: Platform | None) -> Platform | None:
        if manifest.subject is not None or manifest.config is None:
            return None
        platform = stated or self._read_platform(manifest.config)
        # The configs of cosign's signatures have an empty operating system.
        return platform if platform is not None and platform.os not in ("", UNKNOWN_OS) else None

    def _read_platform(self, config: Descriptor) -> Platform | None:
        if config.size > LARGEST_CONFIG:
            return None
        try:
            content = self._repository.open_blob(config.digest)
        except ContentNotFound:
            return None
        with content.file as file:
            return read_platform(file)
