"""What all resources of the registry API have in common: how they answer and refuse."""

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.error import UnsupportedMethod
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from minreg.oci.errors import RegistryError, not_an_endpoint, unavailable, unsupported
from minreg.store.interfaces import StoreNotReady, StoreUnavailable
from minreg.web.request import RegistryRequest

ALLOWED = b"GET, HEAD"


class RegistryResource(Resource):
    """A resource that refuses with the specification's error documents, never with HTML.

    ``fallback`` answers for the paths below it that have no meaning, if it is set.
    """

    fallback: "RegistryResource | None" = None
    _log = Logger()

    def getChild(self, _path: bytes, _request: RegistryRequest) -> "RegistryResource":
        """Answer for every path that has no meaning."""
        if self.fallback is not None:
            return self.fallback
        return RefusingResource(not_an_endpoint)

    def render_GET(self, request: RegistryRequest) -> int:
        """Refuse: there is something below this path only."""
        if self.fallback is not None:
            return self.fallback.render(request)
        raise not_an_endpoint()

    def render(self, request: RegistryRequest) -> int:
        """Answer now, or promise to."""
        try:
            super().render(request)
        except RegistryError as error:
            request.refuse(error)
        except UnsupportedMethod:
            request.setHeader(b"allow", ALLOWED)
            request.refuse(unsupported(request.method.decode("ascii")))
        return NOT_DONE_YET

    def answer_later(self, request: RegistryRequest, answer: Coroutine[Any, Any, None]) -> int:
        """Let a coroutine answer; it is cancelled when the client leaves before."""
        deferred = Deferred.fromCoroutine(answer)
        request.notifyFinish().addErrback(lambda _left: deferred.cancel())
        deferred.addErrback(self._fail, request)
        return NOT_DONE_YET

    def _fail(self, failure: Failure, request: RegistryRequest) -> None:
        if request.has_left and failure.check(CancelledError):
            return
        if isinstance(failure.value, RegistryError):
            request.refuse(failure.value)
        elif isinstance(failure.value, StoreUnavailable):
            # What the daemon waits for, it says once.
            if not failure.check(StoreNotReady):
                self._log.error("cannot read the registry: {reason}", reason=str(failure.value))
            request.refuse(unavailable(str(failure.value)))
        else:
            request.processingFailed(failure)


class RefusingResource(RegistryResource):
    """A path that can only be refused.

    Each refusal has an error of its own. Every ``raise`` of an exception adds to its
    traceback, which holds frames: one that is raised again keeps each request in memory.

    Args:
        make_error: Makes the error that says why.
    """

    isLeaf = True

    def __init__(self, make_error: Callable[[], RegistryError]) -> None:
        super().__init__()
        self._make_error = make_error

    def render_GET(self, request: RegistryRequest) -> int:  # noqa: ARG002
        """Refuse."""
        raise self._make_error()
