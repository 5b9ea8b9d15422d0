"""``minreg missing``: the images that clients requested and did not get."""

import os

import click

from minreg.commands.client import RegistryUnreachable, check_url, choose_url, request_status
from minreg.text import printable


def run(*, url: str | None, as_json: bool) -> None:
    """Print the response of the registry.

    Raises:
        ClickException: There is none, or it is not minreg's.
    """
    url = check_url(url or choose_url(os.environ))
    output_format = "json" if as_json else "list"
    try:
        response = request_status(url, f"/minreg/missing?format={output_format}")
    except RegistryUnreachable as error:
        raise click.ClickException(
            f"{url} does not respond: {error}: name the registry with --url"
        ) from None
    if response.status != 200:
        raise click.ClickException(
            f"{url} responds with status {response.status}: name minreg's address, or that of its "
            "--status-listen"
        )
    for line in response.content.decode("utf-8", "replace").splitlines():
        click.echo(printable(line))
