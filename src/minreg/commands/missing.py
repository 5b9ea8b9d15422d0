"""``minreg missing``: what clients asked a registry for in vain."""

import os
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException, InvalidURL

import click

from minreg.commands.reports import WrongUsage
from minreg.defaults import DEFAULT_INTERFACE, DEFAULT_PORT, STATUS_SOCKET
from minreg.words import printable

_SOCKET = "unix:"
_SECONDS = 10
_LARGEST_ANSWER = 4 * 1024 * 1024


def run(*, url: str | None, as_json: bool) -> None:
    """Ask the registry, and print what it says."""
    url = url or choose_url(os.environ)
    if not url.startswith(("http://", "https://", _SOCKET)):
        raise WrongUsage(
            f"--url {url} is no URL: write it as in http://127.0.0.1:9080 or {_SOCKET}/run/x.sock"
        )
    chosen = "json" if as_json else "list"
    text = _fetch(url.rstrip("/"), f"/minreg/missing?format={chosen}")
    for line in text.splitlines():
        click.echo(printable(line))


def choose_url(environment: Mapping[str, str], status_socket: str = STATUS_SOCKET) -> str:
    """Return where a registry is asked that nobody named, and say so on stderr.

    That is ``MINREG_URL``; or the socket for status of the installed service, if this user
    may use it; or the port of this machine that ``MINREG_PORT`` or the default names.

    Args:
        environment: The environment variables.
        status_socket: The path of the socket.

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
    click.echo(printable(f"registry: {url} (name another one with --url or MINREG_URL)"), err=True)
    return url


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


def _fetch(url: str, target: str) -> str:
    ask = _ask_socket if url.startswith(_SOCKET) else _ask_url
    try:
        status, content = ask(url, target)
    except (OSError, HTTPException, ValueError) as error:
        raise click.ClickException(
            f"{url} does not answer ({_describe(error)}): name the registry with --url"
        ) from None
    if status != 200:
        raise click.ClickException(
            f"{url} answers {status}: is this minreg, and the place where its status is?"
        )
    return content.decode("utf-8", "replace")


def _describe(error: Exception) -> str:
    """Say in plain words why a registry does not answer."""
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


def _ask_url(url: str, target: str) -> tuple[int, bytes]:
    # A registry on this node is never behind a proxy, whatever the environment says.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}{target}", timeout=_SECONDS) as answer:
            return 200, answer.read(_LARGEST_ANSWER)
    except urllib.error.HTTPError as error:
        return error.code, b""


def _ask_socket(url: str, target: str) -> tuple[int, bytes]:
    with closing(_SocketConnection(url.removeprefix(_SOCKET))) as connection:
        connection.request("GET", target)
        answer = connection.getresponse()
        return answer.status, answer.read(_LARGEST_ANSWER)
