"""The options of ``minreg status``."""

from typing import Any

import click

from minreg.cli.shared import url_option


@click.command(
    "status",
    help="""Show whether a registry is running and ready, its addresses, and its number of images.

    The exit status is 0 if it is ready, 1 if it is running but not ready, 3 if it is not
    running, and 4 if that is not known.
    """,
)
@url_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def command(**options: Any) -> None:
    """Print the status."""
    from minreg.commands.status import run

    run(**options)
