"""The options of ``minreg prune``."""

from typing import Any

import click

from minreg.cli.shared import directory_option, links_option


@click.command(
    "prune",
    help="""Remove from a tree what no tag reaches: manifests, blobs, and broken downloads.

    Without --yes it only says what it would remove. The tree may be served meanwhile.
    """,
)
@directory_option
@click.option(
    "--keep-file",
    "keep_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="A list of images; tags that are in no list are removed first. Repeatable.",
)
@click.option("--yes", is_flag=True, help="Remove it.")
@links_option
def command(**options: Any) -> None:
    """Say what would be removed, or remove it."""
    from minreg.commands.prune import run

    run(**options)
