"""The options of ``minreg missing``."""

from typing import Any

import click

from minreg.cli.shared import url_option


@click.command(
    "missing",
    help="""Print what clients asked a running registry for and did not get.

    One image a line, the most wanted first, as 'minreg download -f -' reads them: what a
    rehearsal lacked becomes the next download.
    """,
)
@url_option
@click.option("--json", "as_json", is_flag=True, help="Write all that is known, as JSON.")
def command(**options: Any) -> None:
    """Ask the registry, and print what it says."""
    from minreg.commands.missing import run

    run(**options)
