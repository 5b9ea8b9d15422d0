"""Tests for ``minreg.web.fastpath``: responses of one iteration are sent together."""

from minreg.store.tree import RegistryTree
from minreg.web.fastpath.site import FastChannel
from tests.support import ALIASES, Connection, WebTestCase, parse_responses, write_request

PING = write_request("/v2/")


class TogetherTests(WebTestCase):
    """Tests for what is sent in one iteration of the reactor."""

    def arrive(self, *requests: bytes) -> Connection:
        """Let requests arrive on a connection, one per read, in the current iteration."""
        connection = self.connect()
        for request in requests:
            connection.channel.dataReceived(request)
        return connection

    def answers(self, connection: Connection) -> list[int]:
        """End the iteration, and return the statuses of the responses."""
        connection.pump()
        return [response.code for response in parse_responses(connection.received())]

    def test_end_of_turn(self) -> None:
        """Responses on all connections are sent at the end of the iteration."""
        first, second = self.connect(), self.connect()
        first.channel.dataReceived(PING)
        second.channel.dataReceived(PING)
        self.assertEqual((first.transport.waiting, second.transport.waiting), (b"", b""))
        self.clock.advance(0)
        self.assertTrue(first.transport.waiting)
        self.assertTrue(second.transport.waiting)
        self.assertEqual((self.answers(first), self.answers(second)), ([200], [200]))

    def test_many(self) -> None:
        """At most a few dozen responses are held back together."""
        self.site = self.make_site(RegistryTree(self.root, ALIASES), most_connections=130)
        connections = [self.connect() for _ in range(130)]
        for connection in connections:
            connection.channel.dataReceived(PING)
        waiting = [bool(connection.transport.waiting) for connection in connections]
        self.assertEqual(waiting, [True] * 128 + [False] * 2)
        for connection in connections:
            self.assertEqual(self.answers(connection), [200])

    def test_two_reads(self) -> None:
        """A connection that is read twice in an iteration, as with TLS, keeps the order."""
        nowhere = write_request("/nowhere")
        connection = self.arrive(PING, nowhere[:9], nowhere[9:], PING)
        self.assertEqual(self.answers(connection), [200, 404, 200])

    def test_streamed(self) -> None:
        """The head of a response is sent before a producer makes the body."""
        connection = self.connect()
        channel = connection.channel
        assert isinstance(channel, FastChannel)
        channel._hold(b"head")
        connection.channel.registerProducer(object(), streaming=True)
        self.assertEqual(connection.transport.waiting, b"head")

    def test_refused(self) -> None:
        """A refusal is sent after the response before it."""
        self.assertEqual(self.answers(self.arrive(PING, b"nonsense\r\n\r\n")), [200, 400])

    def test_stopped(self) -> None:
        """A response that is held back is sent before the registry stops."""
        connection = self.arrive(PING)
        self.site.drain(30)
        self.assertEqual(self.answers(connection), [200])
        self.assertTrue(connection.is_closed)

    def test_left(self) -> None:
        """A client that leaves in the same iteration is sent nothing."""
        connection = self.arrive(PING)
        connection.leave()
        self.assertEqual(connection.transport.waiting, b"")
