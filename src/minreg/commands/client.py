"""Sends requests to a running registry, at a URL or a Unix socket."""

import os
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException, InvalidURL
from urllib.parse import urlsplit

import attrs
import click

from minreg.commands.reports import WrongUsage
from minreg.defaults import DEFAULT_INTERFACE, DEFAULT_PORT, ENDPOINT, STATUS_SOCKET
from minreg.text import printable

_SOCKET = "unix:"
_SECONDS = 10
_MAX_BODY = 4 * 1024 * 1024


@attrs.frozen
class RegistryReply:
    """The response of a registry: the status, the ``Server`` header, and the body."""

    status: int
    server: str
    content: bytes


class RegistryUnreachable(Exception):
    """There is no response; the message says why.

    ``is_stopped`` is true if nothing listens at the address.
    """

    def __init__(self, reason: str, *, is_stopped: bool) -> None:
        super().__init__(reason)
        self.is_stopped = is_stopped


def choose_url(
    environment: Mapping[str, str],
    status_socket: str = STATUS_SOCKET,
    *,
    is_announced: bool = True,
) -> str:
    """Return the URL of the registry, if ``--url`` is not used.

    It is ``MINREG_URL``; or the status socket of the installed service, if this user may write to
    it; or the loopback address with the port ``MINREG_PORT`` or the default one.

    Args:
        environment: The environment variables.
        status_socket: The path of the status socket.
        is_announced: Whether to write the URL to standard error.

    Raises:
        WrongUsage: ``MINREG_PORT`` is not a port, or ``MINREG_URL`` is not a URL.
    """
    port = environment.get("MINREG_PORT") or str(DEFAULT_PORT)
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise WrongUsage(f"MINREG_PORT {port!r} is not a port: use a number from 1 to 65535")
    url = environment.get("MINREG_URL", "")
    if url:
        check_url(url, "MINREG_URL")
    if not url and os.access(status_socket, os.W_OK):
        url = f"{_SOCKET}{status_socket}"
    url = url or f"http://{DEFAULT_INTERFACE}:{port}"
    if is_announced:
        line = f"registry: {url} (use --url or MINREG_URL for another one)"
        click.echo(printable(line), err=True)
    return url


def check_url(url: str, name: str = "--url") -> str:
    """Check a registry's URL, and return it without a trailing slash.

    Args:
        url: The URL.
        name: The option or variable that it comes from, for the error.

    Raises:
        WrongUsage: It is not a URL.
    """
    is_url = url.startswith(_SOCKET)
    if url.startswith(("http://", "https://")):
        with suppress(ValueError):
            # Reading the port raises an error if it is invalid.
            is_url = urlsplit(url).port != 0
    if not is_url:
        raise WrongUsage(
            f"{name} {url} is not a URL: write it like {ENDPOINT} or {_SOCKET}/run/x.sock"
        )
    return url.rstrip("/")


def request_status(url: str, target: str) -> RegistryReply:
    """Send a GET request.

    Args:
        url: The URL of the registry, as returned by ``check_url``.
        target: The path and the query.

    Raises:
        RegistryUnreachable: There is no response within ten seconds.
    """
    send = _request_by_socket if url.startswith(_SOCKET) else _request_by_url
    try:
        return send(url, target)
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        is_stopped = isinstance(reason, (ConnectionRefusedError, FileNotFoundError))
        raise RegistryUnreachable(_describe(error), is_stopped=is_stopped) from None


def _describe(error: Exception) -> str:
    """Return why there is no response."""
    cause: object = getattr(error, "reason", error)
    text = "the response is not HTTP"
    if isinstance(cause, socket.gaierror):
        text = "the host name cannot be resolved"
    elif isinstance(cause, TimeoutError):
        text = f"no response within {_SECONDS} seconds"
    elif isinstance(cause, ssl.SSLError):
        text = "the certificate is not trusted, or the server does not use TLS"
    elif isinstance(cause, OSError) and cause.strerror:
        text = cause.strerror
    elif isinstance(error, InvalidURL | ValueError):
        text = "this is not a valid URL"
    return text


class _SocketConnection(HTTPConnection):
    """An HTTP connection over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _request_by_url(url: str, target: str) -> RegistryReply:
    # A registry on this node is never behind a proxy, whatever the environment says.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}{target}", timeout=_SECONDS) as response:
            return RegistryReply(200, _server(response), response.read(_MAX_BODY))
    except urllib.error.HTTPError as error:
        with closing(error):
            return RegistryReply(error.code, _server(error), b"")


def _server(response: object) -> str:
    headers = getattr(response, "headers", None) or {}
    return str(headers.get("Server", ""))


def _request_by_socket(url: str, target: str) -> RegistryReply:
    with closing(_SocketConnection(url.removeprefix(_SOCKET))) as connection:
        connection.request("GET", target)
        response = connection.getresponse()
        return RegistryReply(
            response.status, response.getheader("Server", ""), response.read(_MAX_BODY)
        )
