"""Tests for ``minreg.fill.upstream.auth``."""

import json
from urllib.parse import parse_qs, urlsplit

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import UpstreamRefused, UpstreamUnavailable
from minreg.fill.upstream.auth import Authorizer
from minreg.fill.upstream.credentials import Credentials
from tests.canned import Canned, CannedTransport, Sent

URL = "https://example.com"
BEARER = 'Bearer realm="https://auth.example.com/token?x=y",service="s"'
BASIC = 'Basic realm="example"'


class AuthorizerTests(SynchronousTestCase):
    """Tests for ``Authorizer``."""

    def setUp(self) -> None:
        """Have a token server that counts its tokens."""
        self.clock = Clock()
        self.credentials: Credentials | None = None
        self.transport = CannedTransport(self.answer)
        self.answers: list[Canned] = []
        self.authorizer = Authorizer(
            self.transport, URL, lambda _: self.credentials, self.clock.seconds
        )

    def answer(self, _: Sent) -> Canned:
        """Answer as told, or with a token."""
        if self.answers:
            return self.answers.pop(0)
        token = {"token": f"t{len(self.transport.sent)}", "expires_in": 300}
        return Canned(200, json.dumps(token).encode("ascii"))

    def authorize(self, line: str = BEARER) -> str | None:
        """Answer a challenge for a repository, and return the header to send."""
        self.authorizer.answer([line], "a/b", self.authorizer.authorization("a/b"))
        return self.authorizer.authorization("a/b")

    def test_without_challenge(self) -> None:
        """No credentials are sent before a registry demands them."""
        self.assertIsNone(self.authorizer.authorization("a/b"))

    def test_anonymous(self) -> None:
        """A token is requested without credentials."""
        self.assertEqual(self.authorize(), "Bearer t1")
        [asked] = self.transport.sent
        self.assertEqual(asked.headers, {})
        self.assertEqual(
            parse_qs(urlsplit(asked.url).query),
            {"x": ["y"], "service": ["s"], "scope": ["repository:a/b:pull"]},
        )

    def test_account(self) -> None:
        """Credentials are sent to the token server, and to no other."""
        self.credentials = Credentials("alice", "secret")
        self.assertEqual(self.authorize(), "Bearer t1")
        self.assertEqual(
            self.transport.sent[0].headers, {"Authorization": "Basic YWxpY2U6c2VjcmV0"}
        )

    def test_kept_until_it_expires(self) -> None:
        """A token is used until it expires, and then replaced before the next request."""
        self.authorize()
        self.clock.advance(294)
        self.assertEqual(self.authorizer.authorization("a/b"), "Bearer t1")
        self.clock.advance(2)
        self.assertEqual(self.authorizer.authorization("a/b"), "Bearer t2")

    def test_default_life(self) -> None:
        """A token without expires_in expires after a minute."""
        self.answers = [Canned(200, b'{"access_token":"first"}')]
        self.assertEqual(self.authorize(), "Bearer first")
        self.clock.advance(56)
        self.assertEqual(self.authorizer.authorization("a/b"), "Bearer t2")

    def test_long_life(self) -> None:
        """A token that claims to be valid for years is replaced after a day."""
        self.answers = [Canned(200, b'{"token":"first","expires_in":' + b"9" * 400 + b"}")]
        self.assertEqual(self.authorize(), "Bearer first")
        self.clock.advance(86400)
        self.assertEqual(self.authorizer.authorization("a/b"), "Bearer t2")

    def test_other_repository(self) -> None:
        """Each repository has its own token, requested before the registry demands it."""
        self.authorize()
        self.assertEqual(self.authorizer.authorization("c"), "Bearer t2")
        self.assertIn("scope=repository%3Ac%3Apull", self.transport.sent[1].url)

    def test_one_repository_is_wrong(self) -> None:
        """A challenge that could not be answered is not used for other repositories."""
        line = 'Bearer realm="https://auth.example.com:99999/token"'
        self.assertRaises(UpstreamRefused, self.authorizer.answer, [line], "c", None)
        self.assertIsNone(self.authorizer.authorization("a/b"))
        self.assertEqual(self.authorize(), "Bearer t1")
        self.assertRaises(UpstreamRefused, self.authorizer.answer, [line], "c", None)
        self.assertEqual(self.authorizer.authorization("d"), "Bearer t2")

    def test_expired_early(self) -> None:
        """A refused token is replaced, with the scopes of the new challenge."""
        self.authorize()
        self.assertEqual(self.authorize(f'{BEARER},scope="x:y:z"'), "Bearer t2")
        scopes = parse_qs(urlsplit(self.transport.sent[1].url).query)["scope"]
        self.assertEqual(scopes, ["repository:a/b:pull", "x:y:z"])

    def test_refused_before_it_was_replaced(self) -> None:
        """If another thread already replaced the refused token, that one is used."""
        self.authorize()
        self.authorizer.answer([BEARER], "a/b", "Bearer t0")
        self.assertEqual(len(self.transport.sent), 1)

    def test_basic(self) -> None:
        """Basic sends user name and password."""
        self.credentials = Credentials("alice", "secret")
        self.assertEqual(self.authorize(BASIC), "Basic YWxpY2U6c2VjcmV0")
        self.assertEqual(self.transport.sent, [])

    def test_basic_without_account(self) -> None:
        """Without credentials the error says what to do."""
        failure = self.assertRaises(UpstreamRefused, self.authorize, BASIC)
        self.assertEqual(str(failure), "example.com demands a login; run docker login example.com")

    def test_bearer_is_preferred(self) -> None:
        """If both are offered, the password is not sent to the registry."""
        self.credentials = Credentials("alice", "secret")
        self.assertEqual(self.authorize(f"{BASIC}, {BEARER}"), "Bearer t1")

    def test_identity_token(self) -> None:
        """An identity token is exchanged by POST."""
        self.credentials = Credentials(identity_token="i")
        self.assertEqual(self.authorize(), "Bearer t1")
        [asked] = self.transport.sent
        self.assertEqual(asked.method, "POST")
        form = parse_qs((asked.body or b"").decode("ascii"))
        self.assertEqual((form["grant_type"], form["refresh_token"]), (["refresh_token"], ["i"]))

    def test_identity_token_without_oauth(self) -> None:
        """A server without OAuth gets the identity token as a password."""
        self.credentials = Credentials(identity_token="i")
        self.answers = [Canned(404)]
        self.assertEqual(self.authorize(), "Bearer t2")
        self.assertEqual(self.transport.sent[1].method, "GET")
        self.assertIn("Authorization", self.transport.sent[1].headers)

    def test_registry_token(self) -> None:
        """A registry token is sent as it is."""
        self.credentials = Credentials(registry_token="r")
        self.assertEqual(self.authorize(), "Bearer r")

    def test_unknown_scheme(self) -> None:
        """An unknown scheme is refused."""
        self.assertRaises(UpstreamRefused, self.authorize, "Negotiate")

    def test_token_refused(self) -> None:
        """A wrong password is final, and the error says what to do."""
        self.answers = [Canned(401)]
        failure = self.assertRaises(UpstreamRefused, self.authorize)
        self.assertIn("check the account with docker login example.com", str(failure))

    def test_token_server_fails(self) -> None:
        """A token server that is down, or answers nonsense, is retried."""
        for answer in (Canned(503), Canned(200, b"{}"), Canned(200, b"["), Canned(200, b"[]")):
            self.answers = [answer]
            self.assertRaises(UpstreamUnavailable, self.authorize)
