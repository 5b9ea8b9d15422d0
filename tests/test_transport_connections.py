"""Tests for the connections of ``minreg.fill.upstream.transport``, on a network in memory."""

from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.upstream.transport import discard
from tests.memory_network import Coming, MemoryTransport, http_answer

URL = "http://example.com/v2/a/blobs/x"


class ReuseTests(SynchronousTestCase):
    """Tests for connections that serve more than one request."""

    def follow(self, first: bytes) -> MemoryTransport:
        """Request the URL, whose first response is a redirect."""
        answers = [first]

        def answer(request: bytes) -> Iterable[Coming]:
            is_first = request.startswith(b"GET /v2/a/blobs/x ") and answers
            return [answers.pop() if is_first else http_answer(200, b"content")]

        transport = MemoryTransport(answer)
        response, _ = transport.follow("GET", URL, {})
        self.assertEqual(response.status, 200)
        # Here the first response is still known, as it is while a challenge is answered.
        self.assertEqual(b"".join(transport.iterate_body(response, URL)), b"content")
        return transport

    def test_redirect_without_body(self) -> None:
        """A redirect to the same server reuses the connection."""
        transport = self.follow(http_answer(307, b"", "Location: /elsewhere"))
        self.assertEqual((len(transport.requests), transport.connections), (2, 1))

    def test_redirect_with_body(self) -> None:
        """It does if the redirect has a body too."""
        transport = self.follow(http_answer(307, b"<a href=x>", "Location: /elsewhere"))
        self.assertEqual((len(transport.requests), transport.connections), (2, 1))

    def test_redirect_with_large_body(self) -> None:
        """A large body of a redirect is not read; a new connection is made."""
        transport = self.follow(http_answer(307, bytes(1 << 20), "Location: /elsewhere"))
        self.assertEqual((len(transport.requests), transport.connections), (2, 2))

    def test_discarded_while_known(self) -> None:
        """A discarded response frees its connection, even if it is still referenced."""
        for method in ("GET", "HEAD"):
            transport = MemoryTransport(lambda _: [http_answer(401)])
            responses = []
            for _ in range(3):
                responses.append(transport.send(method, URL, {}))
                discard(responses[-1])
            self.assertEqual((len(transport.requests), transport.connections), (3, 1))

    def test_broken_while_discarded(self) -> None:
        """A body that breaks while it is discarded is no error."""
        short = http_answer(307, b"12345", "Location: /elsewhere")[:-1]
        transport = self.follow(short)
        self.assertEqual(transport.connections, 2)
