"""The options of ``minreg verify``."""

from typing import Any

import click

from minreg.cli.shared import complete_platform, directory_option, links_option


@click.command(
    "verify",
    help="""Check that each image of a tree is complete, and that its content matches its digests.

    An image may lack platforms of its index, unless --platform requires them. The exit status
    is 1 if an image is incomplete or corrupt, if a part of the tree cannot be read, or if it
    has no image.
    """,
)
@directory_option
@click.option("--quick", is_flag=True, help="Check only that files exist and have the right size.")
@click.option(
    "-p",
    "--platform",
    "platforms",
    multiple=True,
    shell_complete=complete_platform,
    help="A platform that each image must have, or 'all' of its index. Repeatable.",
)
@links_option
def command(**options: Any) -> None:
    """Verify the images."""
    from minreg.commands.verify import run

    run(**options)
