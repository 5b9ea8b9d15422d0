"""Tests for ``minreg.web.request`` and ``minreg.web.request``: errors in minreg itself."""

from minreg.oci.errors import RegistryError
from minreg.oci.names import Digest
from minreg.web.request import RegistryRequest, RegistryResource
from minreg.web.site import RegistrySite
from tests.stores import ManualThreads, OneContentStore, OpenFile
from tests.support import WebTestCase, write_request

LAYER = b"0123456789"


class FaultyResource(RegistryResource):
    """A resource that raises an unexpected error."""

    isLeaf = True

    def __init__(self, written: bytes = b"") -> None:
        super().__init__()
        self._written = written

    def render_GET(self, request: RegistryRequest) -> int:
        """Raise an error, before or after a part of the body was sent."""
        request.setHeader(b"etag", b"x")
        request.setHeader(b"content-length", b"10")
        if self._written:
            request.write(self._written)
        raise ZeroDivisionError


class UnusedPathTests(WebTestCase):
    """Tests for ``RegistryResource`` itself."""

    def test_no_endpoint(self) -> None:
        """A path that is not an endpoint, but has endpoints below it, is refused."""
        root = RegistryResource()
        root.putChild(b"minreg", RegistryResource())
        self.site = RegistrySite(root, self.clock, 10)
        response = self.request("/minreg")
        self.assertEqual((response.code, response.error_code), (404, "UNSUPPORTED"))

    def test_described(self) -> None:
        """A site describes its state in a line, for ``systemctl status``."""
        self.site = RegistrySite(RegistryResource(), self.clock, 10)
        self.connect()
        self.assertEqual(
            self.site.describe(),
            "0 requests answered, 0 transfers in progress, 1 connections open",
        )


class FaultTests(WebTestCase):
    """Tests for unexpected errors."""

    def test_fault(self) -> None:
        """An unexpected error is a 500; the traceback is only in the log."""
        self.site = RegistrySite(FaultyResource(), self.clock, 10)
        connection = self.connect()
        response = connection.request("/v2/")
        self.assertEqual((response.code, response.error_code), (500, "UNKNOWN"))
        self.assertNotIn(b"Zero", response.body)
        self.assertIsNone(response.header("etag"))
        self.assertEqual(response.header("docker-distribution-api-version"), "registry/2.0")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertFalse(connection.is_closed)

    def test_fault_in_body(self) -> None:
        """An unexpected error during a response closes the connection."""
        self.site = RegistrySite(FaultyResource(b"01"), self.clock, 10)
        connection = self.connect()
        response = connection.request("/v2/")
        self.assertEqual((response.code, response.body), (200, b"01"))
        self.assertTrue(connection.is_closed)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.logged("request")[0]["failure"], "the registry failed")

    def test_fault_in_thread(self) -> None:
        """An unexpected error in a thread is a 500 too."""
        store = OneContentStore(OpenFile(LAYER), 10)
        store.repository.failure = ZeroDivisionError()
        self.site = self.make_site(store)
        for path in ("/v2/_catalog", "/v2/a/tags/list", f"/v2/a/referrers/{Digest.of(LAYER)}"):
            response = self.request(path)
            self.assertEqual((response.code, response.error_code), (500, "UNKNOWN"))
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_fault_after_client_left(self) -> None:
        """An unexpected error after the client left is logged."""
        self.site = self.make_site(OneContentStore(OpenFile(LAYER), 10), in_thread=ManualThreads())
        connection = self.connect()
        connection.send(write_request("/v2/_catalog"))
        (request,) = connection.channel.requests
        connection.leave()

        async def fail() -> None:
            raise ZeroDivisionError

        RegistryResource().answer_later(request, fail())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_fault_after_answer(self) -> None:
        """An unexpected error after a complete response does not send a second one."""

        class Late(RegistryResource):
            isLeaf = True

            def render_GET(self, request: RegistryRequest) -> int:
                request.respond(b"{}", b"application/json")
                raise ZeroDivisionError

        self.site = RegistrySite(Late(), self.clock, 10)
        response = self.request("/v2/")
        self.assertEqual((response.code, response.body), (200, b"{}"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_refusal_in_literals(self) -> None:
        """A 500 has the specification's error document."""
        response = self.request("/")
        self.assertEqual(
            response.json,
            {
                "errors": [
                    {
                        "code": "UNSUPPORTED",
                        "message": "this path is not an endpoint: the registry API begins at /v2/",
                    }
                ]
            },
        )
        self.assertEqual(str(RegistryError(404, "A", "b")), "A: b")
