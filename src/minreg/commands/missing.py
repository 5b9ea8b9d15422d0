"""``minreg missing``: what clients asked a registry for in vain."""

import socket
import urllib.error
import urllib.request
from contextlib import closing
from http.client import HTTPConnection, HTTPException

import click

from minreg.commands.reports import WrongUsage
from minreg.text import printable

_SOCKET = "unix:"
_SECONDS = 10
_LARGEST_ANSWER = 4 * 1024 * 1024


@click.command(
    "missing",
    help="""Print what clients asked a running registry for and did not get.

    One image a line, the most wanted first, as 'minreg download -f -' reads them: what a
    rehearsal lacked becomes the next download.
    """,
)
@click.option(
    "-u",
    "--url",
    default="http://127.0.0.1:9080",
    show_default=True,
    help="Where the registry listens, or its --status-listen: a URL, or unix:/path.",
)
@click.option("--json", "as_json", is_flag=True, help="Write all that is known, as JSON.")
def command(*, url: str, as_json: bool) -> None:
    """Ask the registry, and print what it says."""
    if not url.startswith(("http://", "https://", _SOCKET)):
        raise WrongUsage(
            f"--url {url} is no URL: write it as in http://127.0.0.1:9080 or {_SOCKET}/run/x.sock"
        )
    chosen = "json" if as_json else "list"
    text = _fetch(url.rstrip("/"), f"/minreg/missing?format={chosen}")
    for line in text.splitlines():
        click.echo(printable(line))


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
        reason = getattr(error, "reason", error)
        raise click.ClickException(
            f"{url} does not answer ({reason}): name the registry with --url"
        ) from None
    if status != 200:
        raise click.ClickException(
            f"{url} answers {status}: is this minreg, and the place where its status is?"
        )
    return content.decode("utf-8", "replace")


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
