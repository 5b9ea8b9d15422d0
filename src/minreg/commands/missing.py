"""``minreg missing``: what clients asked a registry for in vain."""

import click

from minreg.commands.client import RegistrySilent, ask_registry, check_url, url_option
from minreg.words import printable


@click.command(
    "missing",
    help="""Print what clients asked a running registry for and did not get.

    One image a line, the most wanted first, as 'minreg download -f -' reads them: what a
    rehearsal lacked becomes the next download.
    """,
)
@url_option
@click.option("--json", "as_json", is_flag=True, help="Write all that is known, as JSON.")
def command(*, url: str, as_json: bool) -> None:
    """Ask the registry, and print what it says."""
    url = check_url(url)
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
