"""The options of ``minreg missing``."""

from typing import Any

import click

from minreg.cli.shared import url_option


@click.command(
    "missing",
    help="""List the images that clients requested from a running registry and did not get.

    They are printed one per line, the most requested first, as input for 'minreg download -f -'.
    """,
)
@url_option
@click.option("--json", "as_json", is_flag=True, help="Print all details, as JSON.")
def command(**options: Any) -> None:
    """Print the images."""
    from minreg.commands.missing import run

    run(**options)
