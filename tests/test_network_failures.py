"""Tests for ``minreg.fill.upstream.transport``."""

import errno
import re
import socket
import ssl
from http.client import BadStatusLine, HTTPException, IncompleteRead, RemoteDisconnected

from twisted.trial.unittest import SynchronousTestCase
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from minreg.fill.errors import HostUnreachable, UpstreamRefused, UpstreamUnavailable
from minreg.fill.upstream.transport import translate_network_errors

URL = "https://quay.io/v2/a/blobs/x"
PROXY = "http://me:secret@proxy.example:3128"

_JARGON = re.compile(r"[A-Z]\w+(?:Error|Exception|Pool|Connection)\b|object at|Errno|_ssl|\[SSL")


def caused(error: Exception, cause: BaseException) -> Exception:
    """Chain errors as ``raise … from`` does."""
    error.__cause__ = cause
    return error


def name_resolution(number: int) -> Exception:
    """Make the error of a name that is not found."""
    connection = HTTPSConnection("quay.io")
    cause = socket.gaierror(number, "x")
    return caused(NameResolutionError("quay.io", connection, cause), cause)


def new_connection(number: int) -> Exception:
    """Make the error of a connection that is not made."""
    connection = HTTPSConnection("quay.io")
    cause = OSError(number, "x")
    return caused(NewConnectionError(connection, f"Failed: {cause}"), cause)


def connect_timeout() -> Exception:
    """Make the error of a server that does not answer."""
    connection = HTTPSConnection("quay.io")
    error = ConnectTimeoutError(connection, "Connection to quay.io timed out.")
    return caused(error, TimeoutError("timed out"))


def certificate(text: str) -> Exception:
    """Make the error of a certificate."""
    inner = ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] {text} (_ssl.c:9)")
    return SSLError(inner)


class NetworkFailuresTests(SynchronousTestCase):
    """Tests for ``translate_network_errors``."""

    def describe(
        self, error: Exception, url: str = URL, proxy: str = ""
    ) -> UpstreamUnavailable | UpstreamRefused:
        """Return the failure that an error becomes, which is one line without jargon."""
        try:
            with translate_network_errors(url, proxy):
                raise error
        except (UpstreamUnavailable, UpstreamRefused) as failure:
            text = str(failure)
            self.assertIsNone(_JARGON.search(text), text)
            self.assertNotIn("\n", text)
            self.assertNotIn("secret", text)
            return failure

    def check(self, error: Exception, text: str, kind: type[Exception], proxy: str = "") -> None:
        """Expect what becomes of an error."""
        failure = self.describe(error, proxy=proxy)
        self.assertEqual((str(failure), type(failure)), (text, kind))

    def test_name(self) -> None:
        """A name that is not found: mostly there is no network."""
        self.check(
            name_resolution(socket.EAI_AGAIN),
            "cannot find quay.io: no network or DNS here (proxy: https_proxy)",
            HostUnreachable,
        )
        self.check(
            name_resolution(socket.EAI_NONAME),
            "cannot find quay.io: no network or DNS here, or no such host (proxy: https_proxy)",
            HostUnreachable,
        )

    def test_connection(self) -> None:
        """A connection that is refused, leads nowhere, or is not answered."""
        for error, reason in (
            (new_connection(errno.ECONNREFUSED), "it refuses connections (another port; "),
            (new_connection(errno.ENETUNREACH), "no network here leads there ("),
            (new_connection(errno.EHOSTUNREACH), "no network here leads there ("),
            (connect_timeout(), "no answer in time (firewall; "),
        ):
            text = f"cannot connect to quay.io: {reason}proxy: https_proxy)"
            self.check(error, text, HostUnreachable)

    def test_remedy(self) -> None:
        """A caller may know one more remedy."""
        failure = HostUnreachable("it is gone", "a").with_remedy("b")
        self.assertEqual(str(failure), "it is gone (a; b)")

    def test_broken(self) -> None:
        """A connection that breaks, stays silent, or does not speak HTTP."""
        pool = HTTPSConnectionPool("quay.io")
        reset = ConnectionResetError(errno.ECONNRESET, "x")
        for error, reason in (
            (ProtocolError("Connection aborted.", reset), "the connection broke"),
            (ConnectionResetError("reset"), "the connection broke"),
            (BrokenPipeError(errno.EPIPE, "x"), "the connection broke"),
            (HTTPError("x"), "the connection broke"),
            (OSError(errno.ENOBUFS, "No buffer space available"), "No buffer space available"),
            (
                ProtocolError("Connection aborted.", RemoteDisconnected("x")),
                "it closed the connection without an answer",
            ),
            (
                ProtocolError("Connection broken: IncompleteRead(5 bytes read)", ValueError()),
                "the connection ended before the answer was complete",
            ),
            (IncompleteRead(b"x", 5), "the connection ended before the answer was complete"),
            (
                ReadTimeoutError(pool, "x", "Read timed out."),
                "timed out: it sent nothing",
            ),
            (TimeoutError("timed out"), "timed out: it sent nothing"),
            (
                ProtocolError("Connection aborted.", BadStatusLine("x")),
                "it does not answer as a web server does",
            ),
            (
                caused(ProtocolError("x"), HTTPException("got more than 100 headers")),
                "it does not answer as a web server does",
            ),
        ):
            self.check(error, f"quay.io: {reason}", UpstreamUnavailable)

    def test_certificates(self) -> None:
        """Of a certificate it is said what is wrong with it; trying again does not help."""
        for text, reason in (
            ("certificate verify failed: certificate has expired", "has expired: renew it, or"),
            ("certificate verify failed: certificate is not yet valid", "is not yet valid: set"),
            (
                "certificate verify failed: Hostname mismatch, certificate is not valid for 'x'",
                "is for",
            ),
            (
                "certificate verify failed: IP address mismatch",
                "is for another name: use the name",
            ),
            (
                "certificate verify failed: self-signed certificate",
                "is from no authority known here",
            ),
        ):
            failure = self.describe(certificate(text))
            self.assertIsInstance(failure, UpstreamRefused)
            self.assertTrue(str(failure).startswith(f"quay.io: its certificate {reason}"), failure)

    def test_tls(self) -> None:
        """TLS that breaks may work the next time; a server without TLS does not."""
        for text, reason in (
            (
                "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF (_ssl.c:1)",
                "the connection broke within TLS",
            ),
            ("[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] alert (_ssl.c:1)", "it refuses to talk TLS"),
            ("[SSL] bad record mac (_ssl.c:1)", "TLS failed: bad record mac"),
        ):
            failure = self.describe(SSLError(ssl.SSLError(1, text)))
            self.assertIsInstance(failure, UpstreamUnavailable)
            self.assertTrue(str(failure).startswith(f"quay.io: {reason}"), failure)
        failure = self.describe(SSLError(ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] x")))
        self.assertIsInstance(failure, UpstreamRefused)
        self.assertIn("say --plain-http quay.io", str(failure))

    def test_proxy(self) -> None:
        """Of a proxy it is said which it is, without its password, and where it is set."""
        subject = "the proxy proxy.example:3128 for quay.io"
        for error, reason in (
            (new_connection(errno.ECONNREFUSED), "refuses connections: check https_proxy"),
            (connect_timeout(), "does not answer in time: check https_proxy"),
            (new_connection(errno.ENETUNREACH), "does not answer: check https_proxy"),
            (
                name_resolution(socket.EAI_AGAIN),
                "cannot be found: no network or DNS here: check https_proxy",
            ),
            (
                OSError("Tunnel connection failed: 403 Forbidden"),
                (
                    "does not let this through (status 403): ask who runs it, or name quay.io in "
                    "no_proxy"
                ),
            ),
        ):
            wrapped = ProxyError("Unable to connect to proxy", error)
            self.check(wrapped, f"{subject} {reason}", UpstreamUnavailable, PROXY)
        login = OSError("Tunnel connection failed: 407 Proxy Authentication Required")
        self.check(
            ProxyError("Unable to connect to proxy", login),
            f"{subject} wants a login: write it as http://USER:PASSWORD@HOST:PORT in https_proxy",
            UpstreamRefused,
            PROXY,
        )
        failure = self.describe(ProxyError("x", certificate("self-signed")), proxy=PROXY)
        self.assertIsInstance(failure, UpstreamRefused)
        self.assertIn("is from no authority known here", str(failure))
