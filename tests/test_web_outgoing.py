"""Tests for ``minreg.web.responses``: answers of one turn leave together."""

from minreg.store.tree import RegistryTree
from minreg.web.fastpath.site import FastChannel
from tests.support import ALIASES, Connection, WebTestCase, parse_responses, write_request

PING = write_request("/v2/")


class TogetherTests(WebTestCase):
    """Tests for what is sent in one turn of the reactor."""

    def arrive(self, *requests: bytes) -> Connection:
        """Let requests arrive on a connection, one read each, all in the turn that goes on."""
        connection = self.connect()
        for request in requests:
            connection.channel.dataReceived(request)
        return connection

    def answers(self, connection: Connection) -> list[int]:
        """Let the turn end, and return the statuses of what came."""
        connection.pump()
        return [response.code for response in parse_responses(connection.received())]

    def test_end_of_turn(self) -> None:
        """Answers leave when the turn ends, those of all connections."""
        first, second = self.connect(), self.connect()
        first.channel.dataReceived(PING)
        second.channel.dataReceived(PING)
        self.assertEqual((first.transport.waiting, second.transport.waiting), (b"", b""))
        self.clock.advance(0)
        self.assertTrue(first.transport.waiting)
        self.assertTrue(second.transport.waiting)
        self.assertEqual((self.answers(first), self.answers(second)), ([200], [200]))

    def test_many(self) -> None:
        """No more than a few dozen answers wait for others."""
        self.site = self.make_site(RegistryTree(self.root, ALIASES), most_connections=130)
        connections = [self.connect() for _ in range(130)]
        for connection in connections:
            connection.channel.dataReceived(PING)
        waiting = [bool(connection.transport.waiting) for connection in connections]
        self.assertEqual(waiting, [True] * 128 + [False] * 2)
        for connection in connections:
            self.assertEqual(self.answers(connection), [200])

    def test_two_reads(self) -> None:
        """A connection that is read twice in a turn, as TLS may be, keeps its order."""
        nowhere = write_request("/nowhere")
        connection = self.arrive(PING, nowhere[:9], nowhere[9:], PING)
        self.assertEqual(self.answers(connection), [200, 404, 200])

    def test_streamed(self) -> None:
        """The head of an answer is sent before anything makes its body."""
        connection = self.connect()
        channel = connection.channel
        assert isinstance(channel, FastChannel)
        channel._hold(b"head")
        connection.channel.registerProducer(object(), streaming=True)
        self.assertEqual(connection.transport.waiting, b"head")

    def test_refused(self) -> None:
        """A refusal does not pass the answer before it."""
        self.assertEqual(self.answers(self.arrive(PING, b"nonsense\r\n\r\n")), [200, 400])

    def test_stopped(self) -> None:
        """An answer that has not left yet is sent before the registry stops."""
        connection = self.arrive(PING)
        self.site.drain(30)
        self.assertEqual(self.answers(connection), [200])
        self.assertTrue(connection.is_closed)

    def test_left(self) -> None:
        """A client that leaves in the same turn is sent nothing."""
        connection = self.arrive(PING)
        connection.leave()
        self.assertEqual(connection.transport.waiting, b"")
