"""``minreg missing``: what clients asked a registry for and did not get."""

import os

import click

from minreg.commands.client import RegistrySilent, ask_registry, check_url, choose_url
from minreg.text import printable


def run(*, url: str | None, as_json: bool) -> None:
    """Ask the registry, and print what it says."""
    url = check_url(url or choose_url(os.environ))
    chosen = "json" if as_json else "list"
    try:
        answer = ask_registry(url, f"/minreg/missing?format={chosen}")
    except RegistrySilent as error:
        raise click.ClickException(
            f"{url} does not answer ({error}): name the registry with --url"
        ) from None
    if answer.status != 200:
        raise click.ClickException(
            f"{url} answers {answer.status}: is this minreg, and the place where its status is?"
        )
    for line in answer.content.decode("utf-8", "replace").splitlines():
        click.echo(printable(line))
