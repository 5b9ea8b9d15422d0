"""``minreg missing``: what clients asked a registry for in vain."""

import urllib.error
import urllib.request
from http.client import HTTPException

import click

from minreg.commands.reports import WrongUsage
from minreg.words import printable

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
    help="Where the registry listens, or its --status-listen.",
)
@click.option("--json", "as_json", is_flag=True, help="Write all that is known, as JSON.")
def command(*, url: str, as_json: bool) -> None:
    """Ask the registry, and print what it says."""
    if not url.startswith(("http://", "https://")):
        raise WrongUsage(f"--url {url} is no URL: write it as in http://127.0.0.1:9080")
    chosen = "json" if as_json else "list"
    text = _fetch(f"{url.rstrip('/')}/minreg/missing?format={chosen}")
    for line in text.splitlines():
        click.echo(printable(line))


def _fetch(url: str) -> str:
    # A registry on this node is never behind a proxy, whatever the environment says.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_SECONDS) as answer:
            content: bytes = answer.read(_LARGEST_ANSWER)
    except urllib.error.HTTPError as error:
        raise click.ClickException(
            f"{url} answers {error.code}: is this minreg, and the place where its status is?"
        ) from None
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise click.ClickException(
            f"{url} does not answer ({reason}): name the registry with --url"
        ) from None
    return content.decode("utf-8", "replace")
