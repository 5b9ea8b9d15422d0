"""Brings image archives into a tree: each of them whole, or not at all."""

from collections.abc import Sequence

import attrs

from minreg.fill.archives.compression import Readable
from minreg.fill.archives.contents import Contents
from minreg.fill.archives.failures import ArchiveInvalid
from minreg.fill.archives.naming import NamedImage, name_images
from minreg.fill.archives.plan import ImagePlan, plan_image
from minreg.fill.archives.reading import list_images, read_contents
from minreg.fill.archives.source import Advance, ignore, open_members
from minreg.fill.platforms import is_wanted
from minreg.fill.spool import TreeSpool
from minreg.fill.tree.origins import Origins, origin_of, record_origin
from minreg.fill.tree.places import parse_place
from minreg.fill.tree.writer import TreeWriter
from minreg.manifests import Descriptor, Platform
from minreg.names import Digest, NameInvalid
from minreg.references import ImageReference
from minreg.store.held import is_attestation


@attrs.frozen
class ImportedImage:
    """An image that is now in the tree.

    ``size`` are the bytes of its blobs, ``missing`` the platforms that its index names
    and the tree does not have.
    """

    reference: ImageReference
    place: str
    digest: Digest
    size: int
    missing: tuple[Platform, ...]

    def __str__(self) -> str:
        tag = self.reference.tag
        return f"{self.place}:{tag}" if tag else f"{self.place}@{self.digest}"


@attrs.frozen
class _Planned:
    reference: ImageReference
    place: str
    digest: Digest
    plan: ImagePlan


class Importer:
    """Imports archives into one tree.

    Args:
        tree: The tree, locked.
        name: What to call an image that its archive does not name.
        trimmed: Whether places in the tree are without the names of hosts.
        platforms: The platforms that are wanted; all, where there are none.
    """

    def __init__(
        self,
        tree: TreeWriter,
        *,
        name: str = "",
        trimmed: bool = True,
        platforms: Sequence[Platform] = (),
    ) -> None:
        self._tree = tree
        self._name = name
        self._trimmed = trimmed
        self._platforms = platforms

    def import_archive(
        self, source: str, standard_input: Readable, advance: Advance = ignore
    ) -> list[ImportedImage]:
        """Import an archive.

        Args:
            source: The path of a file or directory, or ``-``.
            standard_input: What ``-`` stands for.
            advance: Is told of bytes that were read of the source.

        Raises:
            ArchiveInvalid: It is refused; the tree is as it was.
            TreeNotWritable: A part of the tree cannot be written. Images that are there
                are whole.
        """
        try:
            with TreeSpool(self._tree) as spool:
                with open_members(source, standard_input, advance) as members:
                    contents = read_contents(members, spool)
                planned = self._plan(contents, self._choose(contents))
                return [self._publish(contents, image) for image in planned]
        except ArchiveInvalid as error:
            raise ArchiveInvalid(f"{source}: {error}") from None

    def _choose(self, contents: Contents) -> list[NamedImage]:
        images = list_images(contents)
        wanted = [image for image in images if is_wanted(image.platform, self._platforms)]
        if images and not wanted:
            offered = ", ".join(sorted({str(image.platform) for image in images}))
            raise ArchiveInvalid(f"it has nothing for the wanted platforms, but for {offered}")
        return name_images(wanted, self._name)

    def _plan(self, contents: Contents, images: Sequence[NamedImage]) -> list[_Planned]:
        claims: dict[tuple[str, str], NamedImage] = {}
        planned = []
        for named in images:
            place = self._find_place(named.reference)
            if named.reference.tag:
                _check_claims(claims.setdefault((place, named.reference.tag), named), named)
                self._check_origin(place, named)
            plan = plan_image(contents, named.image, self._platforms)
            planned.append(_Planned(named.reference, place, named.image.digest, plan))
        return planned

    def _find_place(self, reference: ImageReference) -> str:
        try:
            return parse_place(reference.place(trimmed=self._trimmed))
        except NameInvalid as error:
            raise ArchiveInvalid(f"{reference} has no place in a tree: {error}") from None

    def _check_origin(self, place: str, named: NamedImage) -> None:
        """Refuse to put an image over one of the same name from another registry."""
        tag, new = named.reference.tag, origin_of(named.reference)
        held = self._tree.contents.read_manifest(place, tag)
        origin = Origins(self._tree.root).find(place, tag)
        if held and held[0] != named.image.digest and origin not in (None, new):
            raise ArchiveInvalid(
                f"{place}:{tag} is in the tree from {origin}, and {new}:{tag} differs: "
                "keep the hosts with --no-trim"
            )

    def _publish(self, contents: Contents, planned: _Planned) -> ImportedImage:
        """Make an image part of the tree: what a client looks for first comes last."""
        for blob in planned.plan.blobs:
            contents.commit(blob.digest)
            self._tree.link_blob(planned.place, blob.digest, blob.size)
        for digest in planned.plan.manifests:
            content = contents.read(digest)
            self._tree.write_manifest(planned.place, content, digest.algorithm)
        record_origin(self._tree, planned.place, planned.reference)
        if planned.reference.tag:
            self._tree.tag(planned.place, planned.reference.tag, planned.digest)
        return ImportedImage(
            planned.reference,
            planned.place,
            planned.digest,
            sum(blob.size for blob in planned.plan.blobs),
            self._list_missing(planned.place, planned.plan.missing),
        )

    def _list_missing(self, place: str, missing: Sequence[Descriptor]) -> tuple[Platform, ...]:
        return tuple(
            child.platform
            for child in missing
            if child.platform is not None
            and not is_attestation(child)
            and self._tree.contents.read_manifest(place, child.digest) is None
        )


def _check_claims(first: NamedImage, second: NamedImage) -> None:
    """Refuse an archive that has two images for one tag."""
    if first.image.digest == second.image.digest:
        return
    is_trimmed = first.reference.host != second.reference.host
    mend = "keep the hosts with --no-trim" if is_trimmed else "choose one with --platform"
    raise ArchiveInvalid(
        f"{first.reference} and {second.reference} differ, and would get the same tag: {mend}"
    )
