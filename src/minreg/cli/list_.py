"""The options of ``minreg list``."""

from typing import Any

import click

from minreg.cli.shared import directory_option, links_option


@click.command(
    "list",
    help="""Say which images a tree holds.

    PLATFORMS are those that are here, NOT HERE those that the image's index names
    besides. SHARED is how much of SIZE other images need too. On a terminal that is too narrow
    for all columns, SHARED, DIGEST and NOT HERE are left out. The exit status is 1 if a
    part of the tree cannot be looked at.
    """,
)
@directory_option
@click.option("--json", "as_json", is_flag=True, help="Write a JSON list.")
@links_option
def command(**options: Any) -> None:
    """List the images."""
    from minreg.commands.list import run

    run(**options)
