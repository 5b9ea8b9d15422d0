"""Referrers in an archive: signatures, attestations and other manifests about its images.

An archive lists them beside the images, often without a name of their own, or under the name of
their subject. They are stored in each repository of their subject: signatures that cosign finds
by their tag under this tag, all others by their digest, for the list of referrers.

Sources: OCI distribution-spec, "Listing Referrers" and "Referrers Tag Schema"; cosign,
specs/SIGNATURE_SPEC.md, "Tag-based Discovery".
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import attrs

from minreg.fill.archives.contents import MAX_MEMBERS, ArchiveContents
from minreg.fill.archives.naming import ArchivedImage, NamedImage
from minreg.fill.errors import ArchiveInvalid
from minreg.oci.manifests import ManifestInvalid, parse_manifest
from minreg.oci.names import Digest, ImageReference
from minreg.store.index import fallback_tag


@attrs.frozen
class ArchivedReferrer:
    """A referrer, its subject, and the tag under which clients find it; empty for its digest.

    ``subject`` is None if the archive does not have it.
    """

    image: ArchivedImage
    subject: Digest | None
    tag: str = ""


def separate_referrers(
    contents: ArchiveContents, entries: Sequence[ArchivedImage]
) -> tuple[list[ArchivedImage], list[ArchivedReferrer]]:
    """Separate the referrers of an archive from its images.

    Entries without a name that are part of another image, as the platforms of an index are, are
    left out.

    Args:
        contents: The archive, read to its end.
        entries: The entries of its index.

    Returns:
        The images, including artifacts with a name of their own, and the referrers.
    """
    if all(entry.names and not entry.cosign_kind and not entry.subject for entry in entries):
        return list(entries), []
    return _Separation(contents, entries).run()


class _Separation:
    def __init__(self, contents: ArchiveContents, entries: Sequence[ArchivedImage]) -> None:
        self._entries = entries
        self._parts: dict[Digest, None] = {}
        for entry in entries:
            _add_parts(contents, entry.digest, self._parts)
        self._known = self._parts.keys() | {entry.digest for entry in entries}
        self._subject_tags = {fallback_tag(digest): digest for digest in self._known}
        self._images_by_name: dict[tuple[str, ...], set[Digest]] = defaultdict(set)
        for entry in entries:
            is_referrer = bool(entry.cosign_kind) or entry.subject in self._known
            if not is_referrer and not self._is_part(entry):
                self._images_by_name[entry.names].add(entry.digest)

    def run(self) -> tuple[list[ArchivedImage], list[ArchivedReferrer]]:
        images = []
        referrers = []
        for entry in self._entries:
            referrer = self._as_referrer(entry)
            if referrer is not None:
                referrers.append(referrer)
            elif not self._is_part(entry):
                images.append(entry)
        return images, referrers

    def _is_part(self, entry: ArchivedImage) -> bool:
        return entry.is_unnamed and entry.digest in self._parts

    def _as_referrer(self, entry: ArchivedImage) -> ArchivedReferrer | None:
        if entry.cosign_kind:
            subject = self._find_signed(entry)
            tag = "" if subject is None else f"{fallback_tag(subject)}.{entry.cosign_kind}"
            return ArchivedReferrer(entry, subject, tag)
        tagged = self._subject_tags.get(entry.tag.partition(".")[0])
        if tagged is not None and not entry.names:
            return ArchivedReferrer(entry, tagged, entry.tag)
        if entry.subject not in self._known or entry.tag:
            return None
        # Hauler gives a referrer the name of its subject.
        has_own_name = entry.names and not self._images_by_name[entry.names]
        return None if has_own_name else ArchivedReferrer(entry, entry.subject)

    def _find_signed(self, entry: ArchivedImage) -> Digest | None:
        """Return what a signature is about: the one image of the same name, unless stated."""
        if entry.subject is not None:
            return entry.subject
        candidates = self._images_by_name[entry.names]
        return next(iter(candidates)) if len(candidates) == 1 else None


class ReferrerNames:
    """Gives the referrers of an archive their names, each one per repository of its subject.

    Args:
        referrers: The referrers of the archive.
    """

    def __init__(self, referrers: Sequence[ArchivedReferrer]) -> None:
        self._referrers = referrers
        self._by_subject: dict[Digest | None, list[ArchivedReferrer]] = defaultdict(list)
        for referrer in referrers:
            self._by_subject[referrer.subject].append(referrer)
        self._named: set[tuple[ImageReference, Digest]] = set()

    def find(self, image: ImageReference, manifests: Iterable[Digest]) -> list[NamedImage]:
        """Return the referrers of an image that were not returned for its repository before.

        Args:
            image: The name of the image.
            manifests: The manifests and indexes of it that are imported.

        Raises:
            ArchiveInvalid: There are too many.
        """
        found = []
        for digest in manifests:
            for referrer in self._by_subject.get(digest, ()):
                item = _name_referrer(image, referrer)
                key = item.reference, item.image.digest
                if key not in self._named:
                    self._named.add(key)
                    found.append(item)
        if len(self._named) > MAX_MEMBERS:
            raise ArchiveInvalid(
                f"the archive has more than {MAX_MEMBERS} names for referrers; split it"
            )
        return found

    def describe_left_out(self) -> list[str]:
        """Return a sentence for each referrer that was never returned."""
        named = {digest for _, digest in self._named}
        return [
            f"left out {referrer.image.digest}: it refers to {_name_subject(referrer)}, which was "
            "not imported"
            for referrer in self._referrers
            if referrer.image.digest not in named
        ]


def _name_subject(referrer: ArchivedReferrer) -> str:
    if referrer.image.cosign_kind and referrer.image.names:
        return referrer.image.names[0]
    return str(referrer.subject or "an image")


def _name_referrer(subject: ImageReference, referrer: ArchivedReferrer) -> NamedImage:
    digest = None if referrer.tag else referrer.image.digest
    reference = attrs.evolve(subject, tag=referrer.tag, digest=digest)
    return NamedImage(reference, referrer.image, referrer.subject)


def _add_parts(contents: ArchiveContents, digest: Digest, parts: dict[Digest, None]) -> None:
    """Add the digests of the manifests that an index, and the indexes in it, name.

    Args:
        contents: The archive, read to its end.
        digest: The index. A manifest has no parts.
        parts: The digests. The indexes among them are not read again.
    """
    pending = [digest]
    while pending:
        for child in _children(contents, pending.pop()):
            if child not in parts:
                parts[child] = None
                pending.append(child)


def _children(contents: ArchiveContents, digest: Digest) -> list[Digest]:
    if not contents.has_file(digest):
        return []
    try:
        manifest = parse_manifest(contents.read_file(digest))
    except (ManifestInvalid, ArchiveInvalid):
        # It is refused when it is about to be imported.
        return []
    return [child.digest for child in manifest.manifests]
