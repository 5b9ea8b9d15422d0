"""The options of ``minreg list``."""

from typing import Any

import click

from minreg.cli.shared import directory_option, links_option


@click.command(
    "list",
    help="""List the images of a tree.

    PLATFORMS are those that the tree has, ABSENT the others in the image's index. SHARED is
    the part of SIZE that other images use too. On a narrow terminal, SHARED, DIGEST and ABSENT
    are left out. The exit status is 1 if a part of the tree cannot be read.
    """,
)
@directory_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@links_option
def command(**options: Any) -> None:
    """List the images."""
    from minreg.commands.list import run

    run(**options)
