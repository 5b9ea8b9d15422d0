"""The options of ``minreg status``."""

from typing import Any

import click

from minreg.cli.shared import url_option


@click.command(
    "status",
    help="""Say whether a registry runs and is ready, where it listens, and what it has.

    The exit status is 0 if it is ready, 1 if it runs and is not ready, 3 if it does not
    run, and 4 if that cannot be found out.
    """,
)
@url_option
@click.option("--json", "as_json", is_flag=True, help="Write a JSON object.")
def command(**options: Any) -> None:
    """Ask the registry, and exit with the status that tells how it is."""
    from minreg.commands.status import run

    run(**options)
