"""Brings images from upstream registries into a tree, many blobs at a time."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from threading import Event as Signal

import attrs

from minreg.fill.arrivals import Arrivals
from minreg.fill.claims import Claim, Missing, Outcome, Source
from minreg.fill.events import (
    BlobAdvanced,
    BlobEnded,
    ImageEnded,
    Planned,
    Resolving,
    Show,
    Summary,
)
from minreg.fill.failures import (
    ContentMismatch,
    FillFailure,
    UpstreamRefused,
    UpstreamUnavailable,
)
from minreg.fill.fetch import BlobFetch, Fetched
from minreg.fill.plan import Plan, make_plan
from minreg.fill.resolve import Resolver, Selection
from minreg.fill.tree.contents import TreeContents
from minreg.fill.tree.writer import TreeWriter
from minreg.fill.upstream.retries import Retries
from minreg.fill.upstream.transport import Transport
from minreg.fill.upstream.upstreams import Upstreams
from minreg.references import ImageReference

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
        self._contents = TreeContents(root)
        self._network = network
        self._resolver = Resolver(network.upstreams, self._contents, selection)
        self._show = show
        self._fetched: list[Fetched] = []

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
        arrivals = Arrivals(plan, tree, self._show)
        arrivals.end_ready()
        for transfer in as_completed(transfers):
            arrivals.arrive(transfers[transfer], transfer.result())
        return arrivals.failed

    def _fetch(self, missing: Missing, tree: TreeWriter) -> Outcome:
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
                return Outcome(source.blob.size)
        except FillFailure as failure:
            outcome = Outcome(reason=str(failure))
        else:
            outcome = Outcome(reasons=reasons)
        self._show(BlobEnded(missing.digest, 0, 0, outcome.reason_for(missing.claims[0])))
        return outcome

    def _fetch_from(
        self, source: Source, claim: Claim, partial_size: int, tree: TreeWriter
    ) -> Fetched:
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
