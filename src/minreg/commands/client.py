"""Asks a running registry, at a URL or at a socket with a path: ``missing`` and ``status``."""

import os
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException, InvalidURL

import attrs
import click

from minreg.commands.reports import WrongUsage
from minreg.defaults import DEFAULT_INTERFACE, DEFAULT_PORT, ENDPOINT, STATUS_SOCKET
from minreg.text import printable

_SOCKET = "unix:"
_SECONDS = 10
_LARGEST_ANSWER = 4 * 1024 * 1024


@attrs.frozen
class RegistryReply:
    """What a registry answered: the status of HTTP, the ``Server`` header, and the body."""

    status: int
    server: str
    content: bytes


class RegistrySilent(Exception):
    """There is no answer; the message says why. ``is_absent`` tells that nobody listens there."""

    def __init__(self, reason: str, *, is_absent: bool) -> None:
        super().__init__(reason)
        self.is_absent = is_absent


def choose_url(
    environment: Mapping[str, str], status_socket: str = STATUS_SOCKET, *, is_told: bool = True
) -> str:
    """Return where a registry is asked that nobody named.

    That is ``MINREG_URL``; or the socket for status of the installed service, if this user
    may use it; or the port of this machine that ``MINREG_PORT`` or the default names.

    Args:
        environment: The environment variables.
        status_socket: The path of the socket.
        is_told: Whether stderr says which it is.

    Raises:
        WrongUsage: ``MINREG_PORT`` is no port.
    """
    port = environment.get("MINREG_PORT") or str(DEFAULT_PORT)
    if not (port.isascii() and port.isdigit()):
        raise WrongUsage(f"MINREG_PORT {port!r} is not a port: use a number from 1 to 65535")
    url = environment.get("MINREG_URL", "")
    if not url and os.access(status_socket, os.W_OK):
        url = f"{_SOCKET}{status_socket}"
    url = url or f"http://{DEFAULT_INTERFACE}:{port}"
    if is_told:
        line = f"registry: {url} (name another one with --url or MINREG_URL)"
        click.echo(printable(line), err=True)
    return url


def check_url(url: str) -> str:
    """Check what ``--url`` names, and return it without a slash at the end.

    Raises:
        WrongUsage: It is no URL.
    """
    if not url.startswith(("http://", "https://", _SOCKET)):
        raise WrongUsage(
            f"--url {url} is no URL: write it as in {ENDPOINT} or {_SOCKET}/run/x.sock"
        )
    return url.rstrip("/")


def ask_registry(url: str, target: str) -> RegistryReply:
    """Send a GET request.

    Args:
        url: Where the registry listens, as ``check_url`` returned it.
        target: The path to ask for, with its query.

    Raises:
        RegistrySilent: There is no answer within ten seconds.
    """
    ask = _ask_socket if url.startswith(_SOCKET) else _ask_url
    try:
        return ask(url, target)
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        is_absent = isinstance(reason, (ConnectionRefusedError, FileNotFoundError))
        raise RegistrySilent(_describe(error), is_absent=is_absent) from None


def _describe(error: Exception) -> str:
    """Return in plain words why a registry does not answer."""
    cause: object = getattr(error, "reason", error)
    text = "it is no web server"
    if isinstance(cause, socket.gaierror):
        text = "there is no such host, or no DNS here"
    elif isinstance(cause, TimeoutError):
        text = f"no answer within {_SECONDS} seconds"
    elif isinstance(cause, ssl.SSLError):
        text = "its certificate is not accepted, or it does not talk TLS"
    elif isinstance(cause, OSError) and cause.strerror:
        text = cause.strerror
    elif isinstance(error, InvalidURL | ValueError):
        text = "this is no URL"
    return text


class _SocketConnection(HTTPConnection):
    """A connection to a socket with a path."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _ask_url(url: str, target: str) -> RegistryReply:
    # A registry on this node is never behind a proxy, whatever the environment says.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}{target}", timeout=_SECONDS) as answer:
            return RegistryReply(200, _server(answer), answer.read(_LARGEST_ANSWER))
    except urllib.error.HTTPError as error:
        with closing(error):
            return RegistryReply(error.code, _server(error), b"")


def _server(answer: object) -> str:
    headers = getattr(answer, "headers", None) or {}
    return str(headers.get("Server", ""))


def _ask_socket(url: str, target: str) -> RegistryReply:
    with closing(_SocketConnection(url.removeprefix(_SOCKET))) as connection:
        connection.request("GET", target)
        answer = connection.getresponse()
        return RegistryReply(
            answer.status, answer.getheader("Server", ""), answer.read(_LARGEST_ANSWER)
        )
