"""Ends each image when the last of its blobs has come, or been given up."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from threading import Event as Signal

import attrs

from minreg.fill.errors import ContentMismatch, FillError, UpstreamRefused, UpstreamUnavailable
from minreg.fill.fetch import BlobFetch, FetchedBlob
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


class ImageTracker:
    """The images of a plan that wait for blobs.

    Args:
        plan: The images, and the blobs that are missing.
        tree: Where the images are written once their blobs are there.
        show: Told of each image that ends.
    """

    def __init__(self, plan: Plan, tree: TreeWriter, show: Show) -> None:
        self._tree = tree
        self._show = show
        self._awaited: dict[int, set[Digest]] = {}
        self._reasons: dict[int, str] = {}
        self.failed = [str(image) for image in plan.failures]
        """The images that are not in the tree."""
        self._missing = plan.missing
        for missing in plan.missing.values():
            for claim in missing.claims:
                self._awaited.setdefault(id(claim.image), set()).add(missing.digest)
        self._ready = [image for image in plan.images if id(image) not in self._awaited]

    def end_ready(self) -> None:
        """End the images that wait for nothing."""
        for image in self._ready:
            self._end(image, had_blobs_to_come=False)

    def arrive(self, digest: Digest, outcome: FetchResult) -> None:
        """Note what became of a missing blob."""
        for claim in self._missing[digest].claims:
            image = claim.image
            awaited = self._awaited[id(image)]
            awaited.discard(digest)
            reason = outcome.reason_for(claim)
            if reason:
                self._reasons.setdefault(id(image), reason)
            if not awaited:
                self._end(image, had_blobs_to_come=True)

    def _end(self, image: ResolvedImage, *, had_blobs_to_come: bool) -> None:
        is_new = False
        reason = self._reasons.get(id(image), "")
        if not reason:
            try:
                is_new = add_image(image, self._tree) or had_blobs_to_come
            except FillError as failure:
                reason = str(failure)
        if reason:
            self.failed.append(str(image.image))
        self._show(ImageEnded(str(image.image), is_new=is_new, reason=reason))


def add_image(image: ResolvedImage, tree: TreeWriter) -> bool:
    """Write an image whose blobs are there, and tell whether that changed anything.

    Children come before parents and the tags last, so that a tag never lacks anything.
    """
    known = tree.contents.read_manifest(image.place, image.image.tag or image.root)
    for blob in image.blobs:
        tree.link_blob(image.place, blob.digest, blob.size)
    for document in image.documents:
        tree.write_manifest(image.place, document.content, document.digest.algorithm)
    record_provenance(tree, image.place, image.image)
    changed = [tree.tag(image.place, tag, digest) for tag, digest in image.tags]
    return any(changed) or known is None


_RESERVE = 16 * 1024 * 1024


@attrs.frozen
class Network:
    """The way to the upstreams, for one run.

    ``stop`` is set when all work is to end.
    """

    transport: Transport
    upstreams: Upstreams
    retries: Retries
    stop: Signal
    jobs: int


class Download:
    """One run. It shows what happens, and leaves a good tree wherever it ends.

    Args:
        root: The tree's root.
        network: The way to the upstreams.
        selection: What is wanted of each image.
        show: Told each event, in any thread.
    """

    def __init__(self, root: str, network: Network, selection: Selection, show: Show) -> None:
        self._contents = TreeReader(root)
        self._network = network
        self._resolver = Resolver(network.upstreams, self._contents, selection)
        self._show = show
        self._fetched: list[FetchedBlob] = []

    def plan(self, references: Sequence[ImageReference], room: int | None = None) -> Plan:
        """Find out what is to come; nothing is written.

        Args:
            references: The images.
            room: The bytes that the disk has room for, if that matters.
        """
        hosts = tuple(dict.fromkeys(reference.address for reference in references))
        self._show(Resolving(len(references), hosts, self._network.retries.attempts))
        with self._pool() as pool:
            plan = make_plan(references, self._resolver.resolve, self._contents, pool, room)
        self._show(
            Planned(
                len(plan.images) + len(plan.failures),
                len(plan.missing),
                plan.fetch_bytes,
                plan.partial_bytes,
                plan.present_bytes,
            )
        )
        for image, reason in plan.failures.items():
            self._show(ImageEnded(str(image), is_new=False, reason=reason))
        return plan

    def run(self, references: Sequence[ImageReference], tree: TreeWriter) -> Summary:
        """Bring the images into the tree; those that there is no room for fail."""
        plan = self.plan(references, tree.measure_room() - _RESERVE)
        with self._pool() as pool:
            failed = self._bring(plan, tree, pool)
        summary = self._summarize(plan, failed)
        self._show(summary)
        return summary

    @contextmanager
    def _pool(self) -> Iterator[ThreadPoolExecutor]:
        """Have threads until all is done; if something ends that early, wait for none."""
        pool = ThreadPoolExecutor(self._network.jobs)
        try:
            yield pool
        except BaseException:
            self._network.stop.set()
            self._network.transport.interrupt()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()

    def _bring(self, plan: Plan, tree: TreeWriter, pool: ThreadPoolExecutor) -> Sequence[str]:
        """Fetch what is missing, and name the images that are not there at the end."""
        transfers = {
            pool.submit(self._fetch, missing, tree): digest
            for digest, missing in plan.missing.items()
        }
        arrivals = ImageTracker(plan, tree, self._show)
        arrivals.end_ready()
        for transfer in as_completed(transfers):
            arrivals.arrive(transfers[transfer], transfer.result())
        return arrivals.failed

    def _fetch(self, missing: MissingBlob, tree: TreeWriter) -> FetchResult:
        """Fetch a blob from the first that has it."""
        reasons = {}
        try:
            for source, claim in missing.sources.items():
                try:
                    fetched = self._fetch_from(source, claim, missing.partial_size, tree)
                except (UpstreamRefused, UpstreamUnavailable, ContentMismatch) as failure:
                    reasons[source] = str(failure)
                    continue
                self._fetched.append(fetched)
                self._show(BlobEnded(missing.digest, fetched.received, fetched.resumed))
                return FetchResult(source.blob.size)
        except FillError as failure:
            outcome = FetchResult(reason=str(failure))
        else:
            outcome = FetchResult(reasons=reasons)
        self._show(BlobEnded(missing.digest, 0, 0, outcome.reason_for(missing.claims[0])))
        return outcome

    def _fetch_from(
        self, source: BlobSource, claim: BlobRequest, partial_size: int, tree: TreeWriter
    ) -> FetchedBlob:
        blob, image = source.blob, str(claim.image.image)

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
