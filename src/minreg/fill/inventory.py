"""The images of a tree: what each is made of, what is there of it, and what is wrong.

An image is what a tag names, or a digest that was asked for by itself. Platforms of an
index may be absent: a tree that was filled for one platform has only that.
"""

import json
import os
from collections.abc import Iterator, Mapping

import attrs

from minreg.fill.contents import TreeContents
from minreg.fill.origins import Origins
from minreg.fill.places import BLOBS, MANIFESTS
from minreg.fill.platforms import is_attestation
from minreg.interfaces import ContentBroken, ContentNotFound
from minreg.manifests import Descriptor, Manifest, Platform, parse_manifest
from minreg.names import Digest, is_tag
from minreg.store.repository import TreeRepository

_LARGEST_CONFIG = 8 * 1024 * 1024


@attrs.frozen
class HeldImage:
    """An image of a tree.

    ``documents`` has the size of each manifest and index, ``blobs`` the descriptor of
    each config and layer, of the image and of what refers to it. ``is_readable`` is False
    if a manifest could not be read, so that there may be more that belongs to it.
    """

    place: str
    reference: str | Digest
    root: Digest | None
    documents: Mapping[Digest, int]
    blobs: Mapping[Digest, Descriptor]
    present: tuple[Platform, ...]
    absent: tuple[Platform, ...]
    problems: tuple[str, ...]
    is_readable: bool

    @property
    def size(self) -> int:
        """Bytes of all that it is made of."""
        return sum(self.documents.values()) + sum(blob.size for blob in self.blobs.values())

    def __str__(self) -> str:
        separator = "@" if isinstance(self.reference, Digest) else ":"
        return f"{self.place}{separator}{self.reference}"


def iterate_images(contents: TreeContents) -> Iterator[HeldImage]:
    """Look at all images of a tree, in the order of their names."""
    origins = Origins(contents.root)
    for place in contents.iterate_places():
        for tag in _list_tags(contents.root, place):
            yield _Survey(contents, place).run(tag)
        for digest in origins.list_digests(place):
            yield _Survey(contents, place).run(digest)


def blob_path(root: str, place: str, digest: Digest) -> str:
    """Name the file where the registry looks for a blob of a repository."""
    return os.path.join(root, place, BLOBS, str(digest))


def _list_tags(root: str, place: str) -> list[str]:
    """List the tags, those too that lead nowhere."""
    names = os.listdir(os.path.join(root, place, MANIFESTS))
    return sorted(name for name in names if is_tag(name))


class _Survey:
    """The looking at one image."""

    def __init__(self, contents: TreeContents, place: str) -> None:
        self._root = contents.root
        self._place = place
        self._repository: TreeRepository = contents.repository(place)
        self._documents: dict[Digest, int] = {}
        self._blobs: dict[Digest, Descriptor] = {}
        self._present: list[Platform] = []
        self._absent: list[Platform] = []
        self._problems: list[str] = []
        self._is_readable = True

    def run(self, reference: str | Digest) -> HeldImage:
        try:
            root = self._add(reference, None)
        except ContentNotFound as error:
            root = None
            self._is_readable = False
            self._problems.append(str(error))
        return HeldImage(
            self._place,
            reference,
            root,
            self._documents,
            self._blobs,
            tuple(self._present),
            tuple(self._absent),
            tuple(self._problems),
            self._is_readable,
        )

    def _add(self, reference: str | Digest, platform: Platform | None) -> Digest:
        """Add a manifest or an index that is there, and all below it."""
        content = self._repository.open_manifest(reference)
        with content.file:
            manifest = parse_manifest(content.file.read())
        if content.digest in self._documents:
            return content.digest
        self._documents[content.digest] = content.size
        if manifest.is_index:
            self._add_children(manifest)
        else:
            self._add_blobs(manifest, platform)
        for referrer in self._repository.list_referrers(content.digest):
            self._try_to_add(referrer, "what refers to it, ")
        return content.digest

    def _add_children(self, index: Manifest) -> None:
        images = [child for child in index.manifests if not is_attestation(child)]
        held = [self._try_to_add(child, "") for child in index.manifests]
        if images and not any(held):
            self._problems.append("none of its platforms is here")

    def _try_to_add(self, child: Descriptor, what: str) -> bool:
        """Add a child, and tell whether it is there; a platform may be absent."""
        try:
            self._add(child.digest, child.platform)
        except ContentBroken as error:
            self._is_readable = False
            self._problems.append(f"{what}manifest {child.digest}: {error}")
        except ContentNotFound:
            if child.platform is not None and not is_attestation(child):
                self._absent.append(child.platform)
            return False
        return True

    def _add_blobs(self, manifest: Manifest, platform: Platform | None) -> None:
        for blob in manifest.blobs:
            if blob.digest not in self._blobs:
                self._blobs[blob.digest] = blob
                self._check_presence(blob, "config" if blob is manifest.config else "layer")
        if manifest.subject is None and manifest.config is not None:
            known = platform or self._read_platform(manifest.config)
            if known is not None and known.os != "unknown":
                self._present.append(known)

    def _check_presence(self, blob: Descriptor, kind: str) -> None:
        try:
            size = os.stat(blob_path(self._root, self._place, blob.digest)).st_size
        except OSError:
            self._problems.append(f"{kind} {blob.digest} is missing")
            return
        if size != blob.size:
            self._problems.append(
                f"{kind} {blob.digest} has {size} bytes, and should have {blob.size}"
            )

    def _read_platform(self, config: Descriptor) -> Platform | None:
        """Read what an image without an index says itself of its platform."""
        if config.size > _LARGEST_CONFIG:
            return None
        try:
            with open(blob_path(self._root, self._place, config.digest), "rb") as file:
                document = json.loads(file.read(_LARGEST_CONFIG))
            return Platform(
                str(document["os"]), str(document["architecture"]), document.get("variant", "")
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
