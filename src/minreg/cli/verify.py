"""The options of ``minreg verify``."""

from typing import Any

import click

from minreg.cli.shared import directory_option, links_option


@click.command(
    "verify",
    help="""Check each image of a tree: is all of it there, with the right size and digest?

    An image whose index names more platforms than the tree holds is complete, unless
    --platform asks for one of them. The exit status is 1 if an image is not complete, if a
    part of the tree cannot be looked at, or if there is no image at all.
    """,
)
@directory_option
@click.option("--quick", is_flag=True, help="Check presence and sizes, and hash nothing.")
@click.option(
    "-p",
    "--platform",
    "platforms",
    multiple=True,
    help="A platform that each image must have, or 'all' that its index names. Repeatable.",
)
@links_option
def command(**options: Any) -> None:
    """Verify, and exit with the status that tells the outcome."""
    from minreg.commands.verify import run

    run(**options)
