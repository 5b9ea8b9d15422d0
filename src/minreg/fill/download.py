"""Downloads images into a tree.

1. Each image is resolved to its manifests, which are kept in memory (``minreg.fill.resolve``).
2. The plan has each blob that the tree lacks once, however many images need it
   (``minreg.fill.plan``).
3. Threads download the blobs (``minreg.fill.fetch``).
4. When the last blob of an image is there, its manifests are written, and then its tags. So a
   tag never names an incomplete image, even if the download is killed.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from threading import Event as ThreadEvent

import attrs

from minreg.fill.errors import ContentMismatch, FillError, UpstreamRefused, UpstreamUnavailable
from minreg.fill.fetch import BlobFetch, FetchedBlob
from minreg.fill.optional_parts import OptionalParts
from minreg.fill.plan import BlobRequest, BlobSource, FetchResult, MissingBlob, Plan, make_plan
from minreg.fill.progress import (
    BlobAdvanced,
    BlobEnded,
    ImageEnded,
    Planned,
    Resolving,
    Show,
    Summary,
)
from minreg.fill.resolve import ResolvedImage, Resolver, Selection
from minreg.fill.tree.provenance import record_provenance
from minreg.fill.tree.reader import TreeReader
from minreg.fill.tree.writer import TreeWriter
from minreg.fill.upstream.registry import Upstreams
from minreg.fill.upstream.retries import Retries
from minreg.fill.upstream.transport import Transport
from minreg.oci.names import Digest, ImageReference

# Bytes of the disk that stay free, for manifests, links and directories.
_RESERVE = 16 * 1024 * 1024


class ImageTracker:
    """Writes each image of a plan when its last missing blob was downloaded or has failed.

    Args:
        plan: The images, and the blobs that are missing.
        tree: The tree to write the images to.
        show: Called for each image that ended.
    """

    def __init__(self, plan: Plan, tree: TreeWriter, show: Show) -> None:
        self._plan = plan
        self._tree = tree
        self._show = show
        self.failed = [str(reference) for reference in plan.failures]
        """The references of the images that are not in the tree."""
        self._reasons: dict[ImageReference, str] = {}
        self._lost: dict[ImageReference, dict[Digest, str]] = {}
        self._pending: dict[ImageReference, set[Digest]] = {
            image.reference: set() for image in plan.images
        }
        for blob in plan.missing.values():
            for request in blob.requests:
                self._pending[request.image.reference].add(blob.digest)

    def write_complete(self) -> None:
        """Write the images that lack no blob."""
        for image in self._plan.images:
            if not self._pending[image.reference]:
                self._end(image, had_missing_blobs=False)

    def add_result(self, digest: Digest, result: FetchResult) -> None:
        """Record the result for a missing blob, and write the images that it completes."""
        for request in self._plan.missing[digest].requests:
            image = request.image
            pending = self._pending[image.reference]
            pending.discard(digest)
            reason = result.reason_for(request)
            if reason and digest in image.required_blobs:
                self._reasons.setdefault(image.reference, reason)
            elif reason:
                self._lost.setdefault(image.reference, {})[digest] = reason
            if not pending:
                self._end(image, had_missing_blobs=True)

    def _end(self, image: ResolvedImage, *, had_missing_blobs: bool) -> None:
        name = str(image.reference)
        reason = self._reasons.get(image.reference, "")
        is_new = False
        lost = self._lost.get(image.reference, {})
        if not reason:
            try:
                is_new = add_image(image, self._tree, lost) or had_missing_blobs
            except FillError as error:
                reason = str(error)
        if reason:
            self.failed.append(name)
        notes = (*image.notes, *_list_notes(image, lost))
        self._show(ImageEnded(name, is_new=is_new, reason=reason, notes=notes))


def _list_notes(image: ResolvedImage, lost: Mapping[Digest, str]) -> Iterator[str]:
    """Yield a line for each optional part that lacks a blob."""
    for part in image.optional:
        reasons = [lost[blob.digest] for blob in part.blobs if blob.digest in lost]
        if reasons:
            yield f"without {part.name} ({reasons[0]})"


def add_image(
    image: ResolvedImage, tree: TreeWriter, lost: Container[Digest] = frozenset()
) -> bool:
    """Write an image whose blobs are in the tree; return whether that changed the tree.

    Manifests are written before the indexes that name them, and tags last.

    Args:
        image: The image.
        tree: The tree.
        lost: Blobs that are not in the tree. The optional parts that need them are left out.

    Raises:
        TreeNotWritable, ManifestMissing: The image could not be written.
    """
    repository = image.repository_path
    existing = tree.contents.read_manifest(repository, image.reference.tag or image.root)
    parts = [part for part in image.optional if all(b.digest not in lost for b in part.blobs)]
    for blob in (*image.required_blobs.values(), *(b for part in parts for b in part.blobs)):
        tree.link_blob(repository, blob.digest, blob.size)
    for fetched in image.manifests:
        tree.write_manifest(repository, fetched.content, fetched.digest.algorithm)
    for part in parts:
        for fetched in part.manifests:
            write = tree.write_metadata if part.is_metadata else tree.write_manifest
            write(repository, fetched.content, fetched.digest.algorithm)
    record_provenance(tree, repository, image.reference)
    tags = (*(tag for part in parts for tag in part.tags), *image.tags)
    changed_tags = [tree.tag(repository, tag, digest) for tag, digest in tags]
    return any(changed_tags) or existing is None


@attrs.frozen
class Network:
    """What a download needs to send requests.

    ``stop`` is set to stop all work. ``jobs`` is the number of threads.
    """

    transport: Transport
    upstreams: Upstreams
    retries: Retries
    stop: ThreadEvent
    jobs: int


class Download:
    """One run of a download. Wherever it ends, each tag in the tree names a complete image.

    Args:
        root: The tree's root.
        network: The upstream registries, and how to send requests to them.
        selection: Which parts of the images to download.
        show: Called for each event, in any thread.
    """

    def __init__(self, root: str, network: Network, selection: Selection, show: Show) -> None:
        self._contents = TreeReader(root)
        self._network = network
        self._resolver = Resolver(network.upstreams, self._contents, selection)
        self._optional_parts = OptionalParts(self._contents, selection)
        self._show = show
        self._fetched: list[FetchedBlob] = []

    def plan(self, references: Sequence[ImageReference], free_space: int | None = None) -> Plan:
        """Return what a download would do; nothing is written.

        Args:
            references: The images.
            free_space: The number of bytes that may be written; None for no limit.
        """
        hosts = tuple(dict.fromkeys(reference.address for reference in references))
        self._show(Resolving(len(references), hosts, self._network.retries.attempts))
        with self._run_pool() as pool:
            plan = make_plan(
                references,
                self._resolver.resolve,
                self._optional_parts.add,
                contents=self._contents,
                pool=pool,
                free_space=free_space,
            )
        self._show(
            Planned(
                len(plan.images) + len(plan.failures),
                len(plan.missing),
                plan.fetch_bytes,
                plan.partial_bytes,
                plan.present_bytes,
            )
        )
        for reference, reason in plan.failures.items():
            self._show(ImageEnded(str(reference), is_new=False, reason=reason))
        return plan

    def run(self, references: Sequence[ImageReference], tree: TreeWriter) -> Summary:
        """Download images into the tree. Images that do not fit on the disk fail."""
        plan = self.plan(references, tree.measure_free_space() - _RESERVE)
        with self._run_pool() as pool:
            failed = self._fetch_all(plan, tree, pool)
        summary = self._summarize(plan, failed)
        self._show(summary)
        return summary

    @contextmanager
    def _run_pool(self) -> Iterator[ThreadPoolExecutor]:
        """Run a thread pool until every task is finished; stop all tasks on an exception.

        After an exception, such as KeyboardInterrupt, it does not wait for the threads: one may
        be waiting for a silent server.
        """
        pool = ThreadPoolExecutor(self._network.jobs)
        try:
            yield pool
        except BaseException:
            self._network.stop.set()
            self._network.transport.interrupt()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()

    def _fetch_all(self, plan: Plan, tree: TreeWriter, pool: ThreadPoolExecutor) -> Sequence[str]:
        """Download the missing blobs, write the images, and return the names of failed ones."""
        futures = {
            pool.submit(self._fetch, blob, tree): digest for digest, blob in plan.missing.items()
        }
        tracker = ImageTracker(plan, tree, self._show)
        tracker.write_complete()
        for future in as_completed(futures):
            tracker.add_result(futures[future], future.result())
        return tracker.failed

    def _fetch(self, missing: MissingBlob, tree: TreeWriter) -> FetchResult:
        """Download a blob from the first source that has it."""
        reasons = {}
        try:
            for source, request in missing.sources.items():
                try:
                    fetched = self._fetch_from(source, request, missing.partial_size, tree)
                except (UpstreamRefused, UpstreamUnavailable, ContentMismatch) as error:
                    reasons[source] = str(error)
                    continue
                self._fetched.append(fetched)
                self._show(BlobEnded(missing.digest, fetched.received, fetched.resumed))
                return FetchResult(source.blob.size)
        except FillError as error:
            result = FetchResult(reason=str(error))
        else:
            result = FetchResult(reasons=reasons)
        self._show(BlobEnded(missing.digest, 0, 0, result.reason_for(missing.requests[0])))
        return result

    def _fetch_from(
        self, source: BlobSource, request: BlobRequest, partial_size: int, tree: TreeWriter
    ) -> FetchedBlob:
        blob, image = source.blob, str(request.image.reference)

        def advanced(offset: int) -> None:
            self._show(BlobAdvanced(blob.digest, image, offset, blob.size))

        advanced(min(partial_size, blob.size))
        retries = self._network.retries
        return BlobFetch(source.upstream, source.repository, blob, retries, advanced).run(tree)

    def _summarize(self, plan: Plan, failed: Sequence[str]) -> Summary:
        return Summary(
            images=len(plan.images) + len(plan.failures),
            failed=tuple(failed),
            fetched_blobs=len(self._fetched),
            fetched_bytes=sum(fetched.received for fetched in self._fetched),
            resumed_bytes=sum(fetched.resumed for fetched in self._fetched),
            reused_blobs=plan.present_blobs,
            reused_bytes=plan.present_bytes,
        )
