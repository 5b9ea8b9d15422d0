"""Keeps what an archive holds, in the tree but out of sight, until it is known to be good."""

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import BinaryIO, Self

import attrs

from minreg.fill.archives.compression import Readable
from minreg.fill.archives.contents import ArchiveContents
from minreg.fill.archives.import_plan import ImagePlan, plan_image
from minreg.fill.archives.members import FileMember
from minreg.fill.archives.naming import NamedImage, name_images
from minreg.fill.archives.reading import list_images, read_contents
from minreg.fill.archives.source import Advance, ignore, open_members
from minreg.fill.errors import ArchiveInvalid
from minreg.fill.platforms import is_requested
from minreg.fill.tree.atomic import StagedBlob
from minreg.fill.tree.layout import parse_place
from minreg.fill.tree.provenance import Provenance, provenance_of, record_provenance
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.manifests import Descriptor
from minreg.oci.names import Digest, ImageReference, NameInvalid
from minreg.oci.platforms import Platform

_CHUNK = 1024 * 1024
_ROOM_TO_SPARE = 4 * 1024 * 1024


@attrs.frozen
class ExistingBlob:
    """A file of the archive, as the tree has it already."""

    digest: Digest
    size: int
    _path: str

    def open(self) -> BinaryIO:
        """Open it for reading; the caller closes it."""
        return open(self._path, "rb")

    def commit(self) -> None:
        """Do nothing, for it is where it belongs."""


class StagingArea:
    """The files of one archive, from ``with`` to its end; only what is committed stays.

    Implements ``minreg.fill.archives.contents.Staging``.

    Args:
        tree: The tree that the archive is for.
    """

    def __init__(self, tree: TreeWriter) -> None:
        self._tree = tree
        self._new: dict[Digest, StagedBlob] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for blob in self._new.values():
            blob.discard()

    def keep(self, file: FileMember, digest: Digest | None) -> StagedBlob | ExistingBlob:
        """Keep a file; see ``Staging``.

        What the tree has, or the archive had before, is compared, and not written again.
        """
        known = None if digest is None else self._find(digest, file.size)
        if digest is not None and known is not None:
            _compare(file, digest)
            return known
        room = self._tree.measure_room() - _ROOM_TO_SPARE
        if file.size > room:
            raise ArchiveInvalid(
                f"{file.path!r} has {file.size} bytes, and only {max(room, 0)} are free in "
                f"{self._tree.root}: make room, or import into another directory"
            )
        return self._write(file, digest)

    def holds(self, digest: Digest, size: int) -> bool:
        """Tell whether the tree has a blob already."""
        return self._tree.find_blob(digest, size) is not None

    def _find(self, digest: Digest, size: int) -> StagedBlob | ExistingBlob | None:
        if digest in self._new:
            return self._new[digest]
        path = self._tree.find_blob(digest, size)
        return None if path is None else ExistingBlob(digest, size, path)

    def _write(self, file: FileMember, digest: Digest | None) -> StagedBlob | ExistingBlob:
        with ExitStack() as leaving:
            blob = self._tree.new_blob("sha256" if digest is None else digest.algorithm)
            leaving.callback(blob.discard)
            while chunk := file.content.read(_CHUNK):
                blob.write(chunk)
            blob.finish()
            if digest is not None:
                _check(file, digest, blob.digest)
            known = self._find(blob.digest, blob.size)
            if known is not None:
                return known
            leaving.pop_all()
        self._new[blob.digest] = blob
        return blob


def _compare(file: FileMember, digest: Digest) -> None:
    computed = hashlib.new(digest.algorithm)
    while chunk := file.content.read(_CHUNK):
        computed.update(chunk)
    _check(file, digest, Digest(digest.algorithm, computed.hexdigest()))


def _check(file: FileMember, stated: Digest, computed: Digest) -> None:
    if stated != computed:
        raise ArchiveInvalid(
            f"{file.path!r} is damaged, its bytes are {computed}: copy the archive again"
        )


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
            with StagingArea(self._tree) as spool:
                with open_members(source, standard_input, advance) as members:
                    contents = read_contents(members, spool)
                planned = self._plan(contents, self._choose(contents))
                return [self._publish(contents, image) for image in planned]
        except ArchiveInvalid as error:
            raise ArchiveInvalid(f"{source}: {error}") from None

    def _choose(self, contents: ArchiveContents) -> list[NamedImage]:
        images = list_images(contents)
        wanted = [image for image in images if is_requested(image.platform, self._platforms)]
        if images and not wanted:
            offered = ", ".join(sorted({str(image.platform) for image in images}))
            raise ArchiveInvalid(f"it has nothing for the wanted platforms, but for {offered}")
        return name_images(wanted, self._name)

    def _plan(self, contents: ArchiveContents, images: Sequence[NamedImage]) -> list[_Planned]:
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
        tag, new = named.reference.tag, provenance_of(named.reference)
        held = self._tree.contents.read_manifest(place, tag)
        origin = Provenance(self._tree.root).find(place, tag)
        if held and held[0] != named.image.digest and origin not in (None, new):
            raise ArchiveInvalid(
                f"{place}:{tag} is in the tree from {origin}, and {new}:{tag} differs: "
                "keep the hosts with --no-trim"
            )

    def _publish(self, contents: ArchiveContents, planned: _Planned) -> ImportedImage:
        """Make an image part of the tree: what a client looks for first comes last."""
        for blob in planned.plan.blobs:
            contents.commit(blob.digest)
            self._tree.link_blob(planned.place, blob.digest, blob.size)
        for digest in planned.plan.manifests:
            content = contents.read(digest)
            self._tree.write_manifest(planned.place, content, digest.algorithm)
        record_provenance(self._tree, planned.place, planned.reference)
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
            and not child.is_attestation
            and self._tree.contents.read_manifest(place, child.digest) is None
        )


def _check_claims(first: NamedImage, second: NamedImage) -> None:
    """Refuse an archive that has two images for one tag."""
    if first.image.digest == second.image.digest:
        return
    is_trimmed = first.reference.host != second.reference.host
    fix = "keep the hosts with --no-trim" if is_trimmed else "choose one with --platform"
    raise ArchiveInvalid(
        f"{first.reference} and {second.reference} differ, and would get the same tag: {fix}"
    )
