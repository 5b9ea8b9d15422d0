"""Asks a running registry, at a URL or at a socket with a path: ``missing`` and ``status``."""

import socket
import urllib.error
import urllib.request
from contextlib import closing
from http.client import HTTPConnection, HTTPException

import attrs
import click

from minreg.commands.reports import WrongUsage

DEFAULT_URL = "http://127.0.0.1:9080"

_SOCKET = "unix:"
_SECONDS = 10
_LARGEST_ANSWER = 4 * 1024 * 1024

url_option = click.option(
    "-u",
    "--url",
    default=DEFAULT_URL,
    show_default=True,
    help="Where the registry listens, or its --status-listen: a URL, or unix:/path.",
)


@attrs.frozen
class Answer:
    """What a registry answered: the status of HTTP, the ``Server`` header, and the body."""

    status: int
    server: str
    content: bytes


class RegistrySilent(Exception):
    """There is no answer; the message says why. ``is_absent`` tells that nobody listens there."""

    def __init__(self, reason: str, *, is_absent: bool) -> None:
        super().__init__(reason)
        self.is_absent = is_absent


def check_url(url: str) -> str:
    """Check what ``--url`` names, and return it without a slash at the end.

    Raises:
        WrongUsage: It is no URL.
    """
    if not url.startswith(("http://", "https://", _SOCKET)):
        raise WrongUsage(
            f"--url {url} is no URL: write it as in {DEFAULT_URL} or {_SOCKET}/run/x.sock"
        )
    return url.rstrip("/")


def ask_registry(url: str, target: str) -> Answer:
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
        words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        raise RegistrySilent(words, is_absent=is_absent) from None


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


def _ask_url(url: str, target: str) -> Answer:
    # A registry on this node is never behind a proxy, whatever the environment says.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}{target}", timeout=_SECONDS) as answer:
            return Answer(200, _server(answer), answer.read(_LARGEST_ANSWER))
    except urllib.error.HTTPError as error:
        with closing(error):
            return Answer(error.code, _server(error), b"")


def _server(answer: object) -> str:
    headers = getattr(answer, "headers", None) or {}
    return str(headers.get("Server", ""))


def _ask_socket(url: str, target: str) -> Answer:
    with closing(_SocketConnection(url.removeprefix(_SOCKET))) as connection:
        connection.request("GET", target)
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheader("Server", ""), answer.read(_LARGEST_ANSWER))
