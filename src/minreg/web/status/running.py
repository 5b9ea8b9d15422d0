"""``/minreg/status``: what runs here, and what it has, for ``minreg status`` and others."""

import json
from collections.abc import Callable
from time import monotonic

import attrs
from twisted.internet.defer import DeferredLock

from minreg import __version__
from minreg.store.interfaces import (
    ContentNotFound,
    IRegistryStore,
    RepositoryNotFound,
    StoreUnavailable,
)
from minreg.web.request import RegistryRequest
from minreg.web.resource import RegistryResource
from minreg.web.status.context import StatusContext, StatusOptions
from minreg.web.status.formats import format_time
from minreg.web.status.health import OK, check_readiness

COUNT_SECONDS = 0.5
"""Seconds that counting may take. Ten thousand repositories on a fast disk take one."""

COUNT_INTERVAL = 30.0
"""Seconds that a count is used for, before the tree is counted again."""


@attrs.frozen
class TreeCount:
    """How much is in a tree.

    ``images`` are tags: what has only a digest is not counted. ``is_complete`` tells that
    all was counted, and in time; if not, there is at least as much.
    """

    repositories: int
    images: int
    is_complete: bool


def count_tree(
    store: IRegistryStore, seconds: float, now: Callable[[], float] = monotonic
) -> TreeCount:
    """Count what is in a store. This reads a directory for each repository, and no manifest.

    Args:
        store: The store.
        seconds: After how long to stop counting.
        now: Measures the time, in seconds.

    Raises:
        StoreUnavailable: It cannot be read.
    """
    deadline = now() + seconds
    repositories = images = 0
    is_complete = True
    for name in store.iterate_repositories(""):
        if now() > deadline:
            is_complete = False
            break
        repositories += 1
        try:
            images += len(store.find_repository(None, name).list_tags())
        except (RepositoryNotFound, ContentNotFound):
            # It went away meanwhile, or may not be read, which is logged where it is pulled.
            is_complete = False
    return TreeCount(repositories, images, is_complete)


class StatusResource(RegistryResource):
    """The status of a registry, as a JSON document.

    A request costs one look at the root, and at most every ``COUNT_INTERVAL`` seconds a count
    of the tree, which ends after ``COUNT_SECONDS`` however large the tree is.

    Args:
        watched: The registry.
        plan: How it was started.
        now: Tells the time, in seconds since the epoch.
    """

    isLeaf = True

    def __init__(
        self, watched: StatusContext, plan: StatusOptions, now: Callable[[], float]
    ) -> None:
        super().__init__()
        self._watched = watched
        self._plan = plan
        self._started = now()
        self._began = watched.clock.seconds()
        self._count: TreeCount | None = None
        self._counted = 0.0
        self._turn = DeferredLock()

    def render_GET(self, request: RegistryRequest) -> int:
        """Look, and answer. The status is 200 also if the registry is not ready."""
        return self.answer_later(request, self._answer(request))

    async def _answer(self, request: RegistryRequest) -> None:
        watched, plan = self._watched, self._plan
        checks = await check_readiness(watched.site, watched.store, watched.disk)
        count = await self._find_count() if checks["root"] == OK else None
        document = {
            "version": __version__,
            "root": plan.root,
            "started": format_time(self._started),
            "uptime_seconds": int(watched.clock.seconds() - self._began),
            "listeners": list(watched.site.listeners),
            "workers": plan.workers,
            "ready": all(check == OK for check in checks.values()),
            "checks": checks,
            "repositories": count.repositories if count is not None else None,
            "images": count.images if count is not None else None,
            "counts_complete": count is not None and count.is_complete,
            "missing": len(watched.misses),
            "connections": watched.site.connections,
            "transfers": watched.site.transfers,
        }
        request.setHeader(b"cache-control", b"no-store")
        request.respond(
            json.dumps(document, indent=1).encode("ascii") + b"\n", b"application/json"
        )

    async def _find_count(self) -> TreeCount | None:
        """Return the latest count; None if the disk does not answer."""
        if not self._is_fresh():
            try:
                await self._watched.disk.run_alone(self._turn, self._count_again)
            except StoreUnavailable:
                return None
        return self._count

    def _is_fresh(self) -> bool:
        age = self._watched.clock.seconds() - self._counted
        return self._count is not None and age <= COUNT_INTERVAL

    def _count_again(self) -> None:
        """Count in a thread, unless another request had that done while this one waited."""
        if not self._is_fresh():
            self._count = count_tree(self._watched.store, COUNT_SECONDS)
            self._counted = self._watched.clock.seconds()
