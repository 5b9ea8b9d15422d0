"""What is known of an image that a tree holds."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO

import attrs

from minreg.oci.manifests import Descriptor, Manifest, Platform, parse_manifest
from minreg.oci.names import Digest
from minreg.store.interfaces import ContentInvalid, ContentNotFound, IRepository

UNKNOWN = "unknown"
"""What stands for the platform of a manifest that is no image."""


@attrs.frozen
class StoredManifest:
    """A manifest or an index of an image; ``size`` is that of its document, in bytes."""

    digest: Digest
    size: int
    manifest: Manifest
    platform: Platform | None

    @property
    def is_referrer(self) -> bool:
        """Whether it is about another manifest, as a signature is, and no image itself."""
        return self.manifest.subject is not None


@attrs.frozen
class StoredImage:
    """An image of a tree, in the repository at ``repository_path`` below the root.

    ``documents`` has the size of each manifest and index, ``blobs`` the descriptor of
    each config and layer, of the image and of what refers to it, and ``faulty`` those that
    are not there, or not whole. ``absent_manifests`` are named by an index and not there.
    ``is_readable`` is False if a manifest could not be read, or not all of it, so that there
    may be more that belongs to it.
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

    @property
    def documents(self) -> Mapping[Digest, int]:
        """The size of each manifest and index."""
        return {held.digest: held.size for held in self.manifests}

    @property
    def present(self) -> tuple[Platform, ...]:
        """The platforms that are here, whatever of their layers is missing."""
        return tuple(held.platform for held in self.manifests if held.platform is not None)

    @property
    def absent(self) -> tuple[Platform, ...]:
        """The platforms that an index names and that are not here."""
        return tuple(
            child.platform
            for child in self.absent_manifests
            if child.platform is not None and not is_attestation(child)
        )

    @property
    def size(self) -> int:
        """Bytes of all that it is made of."""
        return sum(self.documents.values()) + sum(blob.size for blob in self.blobs.values())

    def __str__(self) -> str:
        separator = "@" if isinstance(self.reference, Digest) else ":"
        return f"{self.repository_path}{separator}{self.reference}"


def is_attestation(child: Descriptor) -> bool:
    """Tell whether a child of an index is a statement about another, and no image."""
    return child.platform is not None and child.platform.os == UNKNOWN


LARGEST_CONFIG = 8 * 1024 * 1024
"""Bytes of a config that are read to learn an image's platform."""

_DEEPEST = 32
"""How many manifests may lead to each other. Clients follow one index or two; what refers to
an image, and to that, adds a few."""


Choose = Callable[[Manifest], Sequence[Descriptor]]
"""Chooses the manifests of an index that matter to somebody."""


class _TooMuch(Exception):
    """An image has more parts than are to be looked at."""


def inspect_image(
    repository: IRepository,
    reference: str | Digest,
    choose: Choose | None = None,
    most: float = math.inf,
) -> StoredImage:
    """Look at what an image of a repository is made of.

    Args:
        repository: The repository.
        reference: The image's tag or digest.
        choose: Says which manifests of an index to look at, and then nothing that refers to
            the image is; all that belongs to it is looked at if None.
        most: How many manifests, configs and layers to look at; of an image that has more,
            only that is told.
    """
    try:
        return _Look(repository, choose, most).run(reference)
    except _TooMuch:
        problem = f"it has more than {most} manifests and layers, too many to look at"
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
    """Read what an image without an index says itself of its platform."""
    try:
        document = json.loads(config.read(LARGEST_CONFIG))
        return Platform(
            str(document["os"]), str(document["architecture"]), str(document.get("variant", ""))
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


class _Look:
    """The looking at one image."""

    def __init__(self, repository: IRepository, choose: Choose | None, most: float) -> None:
        self._repository = repository
        self._choose = choose
        self._left = most
        self._manifests: dict[Digest, StoredManifest] = {}
        self._blobs: dict[Digest, Descriptor] = {}
        self._faulty: set[Digest] = set()
        self._absent: list[Descriptor] = []
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
        )

    def _add(self, reference: str | Digest, platform: Platform | None) -> Digest:
        """Add a manifest or an index that is there, and all below it."""
        content = self._repository.open_manifest(reference)
        with content.file:
            manifest = parse_manifest(content.file.read())
        digest: Digest = content.digest
        if digest in self._manifests:
            return digest
        known = None if manifest.is_index else self._find_platform(manifest, platform)
        self._manifests[digest] = StoredManifest(digest, content.size, manifest, known)
        self._check_sense(digest, manifest)
        if manifest.is_index:
            self._add_children(manifest)
        else:
            self._add_blobs(manifest)
        if self._choose is None:
            for referrer in self._repository.list_referrers(digest):
                self._try_to_add(referrer, "what refers to it, ")
        return digest

    def _check_sense(self, digest: Digest, manifest: Manifest) -> None:
        """Tell of parts that cannot be looked for; what it refers to is no part of it."""
        senseless = [what for what in manifest.malformed if not what.startswith("subject")]
        if senseless:
            self._is_readable = False
            more = f", and {len(senseless) - 1} more like that" if senseless[1:] else ""
            self._problems.append(f"manifest {digest} makes no sense: {senseless[0]}{more}")

    def _add_children(self, index: Manifest) -> None:
        if self._choose is not None:
            for child in self._counted(self._choose(index)):
                self._try_to_add(child, "")
            return
        images = [child for child in index.manifests if not is_attestation(child)]
        held = [self._try_to_add(child, "") for child in self._counted(index.manifests)]
        if images and not any(held):
            # What belongs to them may be here, and cannot be known.
            self._is_readable = False
            self._problems.append("none of its platforms is here")

    def _try_to_add(self, child: Descriptor, what: str) -> bool:
        """Add a child, and tell whether it is there; a platform may be absent."""
        self._depth += 1
        try:
            self._check_depth()
            self._add(child.digest, child.platform)
        except ContentInvalid as error:
            self._is_readable = False
            self._problems.append(f"{what}manifest {child.digest}: {error}")
        except ContentNotFound:
            self._absent.append(child)
            return False
        finally:
            self._depth -= 1
        return True

    def _counted(self, parts: Sequence[Descriptor]) -> Sequence[Descriptor]:
        """Count parts before any of them is looked at."""
        self._left -= len(parts)
        if self._left < 0:
            raise _TooMuch
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
        known = stated or self._read_platform(manifest.config)
        # cosign's configs name no system at all.
        return known if known is not None and known.os not in ("", UNKNOWN) else None

    def _read_platform(self, config: Descriptor) -> Platform | None:
        if config.size > LARGEST_CONFIG:
            return None
        try:
            content = self._repository.open_blob(config.digest)
        except ContentNotFound:
            return None
        with content.file as file:
            return read_platform(file)
