"""The options of ``minreg prune``."""

from typing import Any

import click

from minreg.cli.shared import NonEmptyPath, directory_option, links_option


@click.command(
    "prune",
    help="""Remove manifests and blobs that are not reachable from any tag, and partial downloads.

    Without --yes it only prints what it would remove. The tree may be served at the same time.
    """,
)
@directory_option
@click.option(
    "--keep-file",
    "keep_files",
    multiple=True,
    type=NonEmptyPath(exists=True, dir_okay=False, allow_dash=True),
    help="A list of images to keep: all other tags are removed first. Repeatable.",
)
@click.option("--yes", is_flag=True, help="Remove them.")
@links_option
def command(**options: Any) -> None:
    """Print what would be removed, or remove it."""
    from minreg.commands.prune import run

    run(**options)
