"""Imports image archives into a tree.

The files of an archive are staged in the tree's private directory, and become visible only
when all of the archive was read and checked.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import BinaryIO

import attrs

from minreg.fill.archives.compression import Readable
from minreg.fill.archives.contents import ArchiveContents
from minreg.fill.archives.image_selection import ArchiveSelection, select_images
from minreg.fill.archives.import_plan import (
    ImagePlan,
    LayersNotDistributed,
    plan_image,
)
from minreg.fill.archives.members import FileMember
from minreg.fill.archives.naming import NamedImage
from minreg.fill.archives.referrers import ReferrerNames
from minreg.fill.archives.source import (
    STANDARD_INPUT,
    ProgressCallback,
    describe_part,
    ignore_progress,
    open_members,
)
from minreg.fill.errors import KEEP_HOSTS, ArchiveInvalid
from minreg.fill.tree.layout import parse_repository_path
from minreg.fill.tree.provenance import Provenance, provenance_of, record_provenance
from minreg.fill.tree.staging import StagedBlob
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.manifests import Descriptor
from minreg.oci.names import Digest, ImageReference, NameInvalid
from minreg.oci.platforms import Platform

_CHUNK = 1024 * 1024
_RESERVE = 4 * 1024 * 1024
"""Bytes of the disk that stay free, for manifests, links and directories."""


@attrs.frozen
class ExistingBlob:
    """A file of the archive that the tree already has as a blob."""

    digest: Digest
    size: int
    _path: str

    def open(self) -> BinaryIO:
        """Open it for reading; the caller closes it."""
        return open(self._path, "rb")

    def commit(self) -> None:
        """Do nothing: the tree already has it."""


class StagingArea(AbstractContextManager["StagingArea"]):
    """The files of one archive. What was not committed is removed when the context ends.

    Implements ``minreg.fill.archives.contents.Staging``.

    Args:
        tree: The tree that the archive is imported into.
    """

    def __init__(self, tree: TreeWriter) -> None:
        self._tree = tree
        self._staged: dict[Digest, StagedBlob] = {}

    def __exit__(self, *exc_info: object) -> None:
        for blob in self._staged.values():
            blob.discard()

    def add(self, file: FileMember, digest: Digest | None) -> StagedBlob | ExistingBlob:
        """Store a file; see ``Staging``.

        If the tree or the archive already had a file of this digest, the bytes are only
        verified, and not written again.
        """
        existing = None if digest is None else self._find(digest, file.size)
        if digest is not None and existing is not None:
            _verify_content(file, digest)
            return existing
        free_space = self._tree.measure_free_space() - _RESERVE
        if file.size > free_space:
            raise ArchiveInvalid(
                f"{file.path!r} has {file.size} bytes, but only {max(free_space, 0)} are free in "
                f"{self._tree.root}; free disk space, or import into another directory"
            )
        return self._write(file, digest)

    def has_blob(self, digest: Digest, size: int) -> bool:
        """Return whether the tree already has a blob."""
        return self._tree.find_blob(digest, size) is not None

    def _find(self, digest: Digest, size: int) -> StagedBlob | ExistingBlob | None:
        if digest in self._staged:
            return self._staged[digest]
        path = self._tree.find_blob(digest, size)
        return None if path is None else ExistingBlob(digest, size, path)

    def _write(self, file: FileMember, digest: Digest | None) -> StagedBlob | ExistingBlob:
        with ExitStack() as cleanup:
            blob = self._tree.new_blob("sha256" if digest is None else digest.algorithm)
            cleanup.callback(blob.discard)
            while chunk := file.content.read(_CHUNK):
                blob.write(chunk)
            blob.finish()
            if digest is not None:
                _check_digest(file, digest, blob.digest)
            existing = self._find(blob.digest, blob.size)
            if existing is not None:
                return existing
            cleanup.pop_all()
        self._staged[blob.digest] = blob
        return blob


def _verify_content(file: FileMember, digest: Digest) -> None:
    computed = hashlib.new(digest.algorithm)
    while chunk := file.content.read(_CHUNK):
        computed.update(chunk)
    _check_digest(file, digest, Digest(digest.algorithm, computed.hexdigest()))


def _check_digest(file: FileMember, expected: Digest, computed: Digest) -> None:
    if expected != computed:
        raise ArchiveInvalid(
            f"{file.path!r} is damaged, its bytes have the digest {computed}; "
            "copy the archive again"
        )


@attrs.frozen
class ImportedImage:
    """An image that is now in the tree.

    ``repository`` is the path of its repository below the root. ``size`` is that of its blobs
    in bytes. ``missing`` are the platforms that its index names and the tree does not have.
    ``subject`` is the digest of the manifest that a referrer, such as a signature, refers to.
    """

    reference: ImageReference
    repository: str
    digest: Digest
    size: int
    missing: tuple[Platform, ...]
    subject: Digest | None = None

    def __str__(self) -> str:
        tag = self.reference.tag
        return f"{self.repository}:{tag}" if tag else f"{self.repository}@{self.digest}"


@attrs.frozen
class _PlannedImage:
    named: NamedImage
    repository: str
    plan: ImagePlan

    @property
    def reference(self) -> ImageReference:
        return self.named.reference

    @property
    def digest(self) -> Digest:
        return self.named.image.digest


def ignore_report(_: str) -> None:
    """Ignore a report."""


class Importer:
    """Imports archives into one tree.

    Args:
        tree: The tree, locked.
        name: The name for an image that has none in its archive.
        trimmed: Whether repositories in the tree are named without their registry's host.
        platforms: The selected platforms; empty for all.
        report: Called with a sentence for each entry of an archive that is left out.
    """

    def __init__(
        self,
        tree: TreeWriter,
        *,
        name: str = "",
        trimmed: bool = True,
        platforms: Sequence[Platform] = (),
        report: Callable[[str], None] = ignore_report,
    ) -> None:
        self._tree = tree
        self._report = report
        self._name = name
        self._trimmed = trimmed
        self._platforms = platforms

    def import_archive(
        self, source: str, standard_input: Readable, advance: ProgressCallback = ignore_progress
    ) -> list[ImportedImage]:
        """Import an archive.

        Args:
            source: The path of a file or directory, or ``-`` for standard input.
            standard_input: The stream to read for ``-``.
            advance: Called with the number of bytes that were read of the source.

        Raises:
            ArchiveInvalid: The archive is refused; the tree is unchanged.
            TreeNotWritable: A part of the tree cannot be written. Each image in the tree is
                complete.
        """
        try:
            with StagingArea(self._tree) as staging:
                with open_members(source, standard_input, advance) as members:
                    contents = ArchiveContents.read(members, staging)
                selection = select_images(contents, self._name, self._platforms)
                planned = self._plan(contents, selection)
                return [self._publish(contents, image) for image in planned]
        except ArchiveInvalid as error:
            name = "standard input" if source == STANDARD_INPUT else source
            raise ArchiveInvalid(f"{name}: {describe_part(source) or error}") from None

    def _plan(self, contents: ArchiveContents, selection: ArchiveSelection) -> list[_PlannedImage]:
        """Plan the images, and after each its referrers."""
        by_tag: dict[tuple[str, str], NamedImage] = {}
        planned: list[_PlannedImage] = []
        not_distributed: list[str] = []
        referrers = ReferrerNames(selection.referrers)
        pending = deque(selection.images)
        while pending:
            named = pending.popleft()
            repository = self._repository_path(named.reference)
            if named.reference.tag:
                _check_same_image(
                    by_tag.setdefault((repository, named.reference.tag), named), named
                )
                self._check_provenance(repository, named)
            try:
                plan = plan_image(contents, named.image, self._platforms)
            except LayersNotDistributed as error:
                not_distributed.append(str(error))
                continue
            planned.append(_PlannedImage(named, repository, plan))
            pending += referrers.find(named.reference, plan.manifests)
        if not planned:
            raise ArchiveInvalid(not_distributed[0])
        for text in (*selection.left_out, *referrers.describe_left_out(), *not_distributed):
            self._report(text)
        return planned

    def _repository_path(self, reference: ImageReference) -> str:
        try:
            return parse_repository_path(reference.repository_path(trimmed=self._trimmed))
        except NameInvalid as error:
            raise ArchiveInvalid(f"{reference} cannot be stored in a tree: {error}") from None

    def _check_provenance(self, repository: str, named: NamedImage) -> None:
        """Refuse to replace an image of the same name from another registry."""
        tag, upstream = named.reference.tag, provenance_of(named.reference)
        existing = self._tree.contents.read_manifest(repository, tag)
        recorded = Provenance(self._tree.root).find(repository, tag)
        if existing and existing[0] != named.image.digest and recorded not in (None, upstream):
            raise ArchiveInvalid(
                f"{repository}:{tag} in the tree is from {recorded}; {upstream}:{tag} is another "
                f"image and would replace it; {KEEP_HOSTS}"
            )

    def _publish(self, contents: ArchiveContents, planned: _PlannedImage) -> ImportedImage:
        """Make an image visible: blobs first, then manifests, then the tag.

        A client follows a tag to manifests and blobs, so each of them exists before what names
        it.
        """
        for blob in planned.plan.blobs:
            contents.commit(blob.digest)
            self._tree.link_blob(planned.repository, blob.digest, blob.size)
        for digest in planned.plan.manifests:
            content = contents.read_file(digest)
            self._tree.write_manifest(planned.repository, content, digest.algorithm)
        if planned.reference.tag or planned.named.subject is None:
            # An untagged referrer is kept with its subject, and needs no record of its own.
            record_provenance(self._tree, planned.repository, planned.reference)
        if planned.reference.tag:
            self._tree.tag(planned.repository, planned.reference.tag, planned.digest)
        return ImportedImage(
            planned.reference,
            planned.repository,
            planned.digest,
            sum(blob.size for blob in planned.plan.blobs),
            self._missing_platforms(planned.repository, planned.plan.missing),
            planned.named.subject,
        )

    def _missing_platforms(
        self, repository: str, missing: Sequence[Descriptor]
    ) -> tuple[Platform, ...]:
        return tuple(
            child.platform
            for child in missing
            if child.platform is not None
            and not child.is_attestation
            and self._tree.contents.read_manifest(repository, child.digest) is None
        )


def _check_same_image(first: NamedImage, second: NamedImage) -> None:
    """Refuse an archive that has two images for one tag."""
    if first.image.digest == second.image.digest:
        return
    is_trimmed = first.reference.host != second.reference.host
    fix = KEEP_HOSTS if is_trimmed else "export them under different names"
    raise ArchiveInvalid(
        f"{first.reference} and {second.reference} are different images for the same tag; {fix}"
    )
