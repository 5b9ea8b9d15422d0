"""The base class of all resources: errors become the specification's documents here."""

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
    """A resource whose errors are the specification's JSON documents, never HTML.

    Attributes:
        fallback: The resource for paths below this one that are no endpoints, if it is set.

    """

    fallback: "RegistryResource | None" = None
    _log = Logger()

    def getChild(self, _path: bytes, _request: RegistryRequest) -> "RegistryResource":
        """Return the resource for a path that is no endpoint."""
        if self.fallback is not None:
            return self.fallback
        return RefusingResource(not_an_endpoint)

    def render_GET(self, request: RegistryRequest) -> int:
        """Refuse the request: only paths below this one are endpoints."""
        if self.fallback is not None:
            return self.fallback.render(request)
        raise not_an_endpoint()

    def render(self, request: RegistryRequest) -> int:
        """Respond to a request, now or later."""
        try:
            super().render(request)
        except RegistryError as error:
            request.refuse(error)
        except UnsupportedMethod:
            request.setHeader(b"allow", ALLOWED)
            request.refuse(unsupported(request.method.decode("ascii")))
        return NOT_DONE_YET

    def answer_later(self, request: RegistryRequest, response: Coroutine[Any, Any, None]) -> int:
        """Run a coroutine that responds. It is cancelled if the client leaves before."""
        deferred = Deferred.fromCoroutine(response)
        request.notifyFinish().addErrback(lambda _reason: deferred.cancel())
        deferred.addErrback(self._fail, request)
        return NOT_DONE_YET

    def _fail(self, failure: Failure, request: RegistryRequest) -> None:
        if request.has_left and failure.check(CancelledError):
            return
        if isinstance(failure.value, RegistryError):
            request.refuse(failure.value)
        elif isinstance(failure.value, StoreUnavailable):
            # A root that the daemon waits for is logged once, when the waiting starts.
            if not failure.check(StoreNotReady):
                self._log.error("cannot read the registry: {reason}", reason=str(failure.value))
            request.refuse(unavailable(str(failure.value)))
        else:
            request.processingFailed(failure)


class RefusingResource(RegistryResource):
    """A path that is always refused.

    Args:
        make_error: Makes the error. One exception must not be raised twice: each time, its
            traceback would grow and keep more frames alive.
    """

    isLeaf = True

    def __init__(self, make_error: Callable[[], RegistryError]) -> None:
        super().__init__()
        self._make_error = make_error

    def render_GET(self, request: RegistryRequest) -> int:  # noqa: ARG002
        """Refuse the request."""
        raise self._make_error()
