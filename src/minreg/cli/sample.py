"""The options of ``minreg sample``."""

import click

from minreg.cli.shared import NonEmptyPath
from minreg.defaults import SAMPLE_REPOSITORY, SAMPLE_TAGS


@click.command(
    "sample",
    help=f"""Write a small registry tree to DIRECTORY, to try minreg with.

    It has one image, {SAMPLE_REPOSITORY}, with the tags {" and ".join(SAMPLE_TAGS)}, for
    linux/amd64 and linux/arm64, and an artifact that refers to it. Other content of
    DIRECTORY is not changed.
    """,
)
@click.argument("directory", type=NonEmptyPath(file_okay=False))
def command(directory: str) -> None:
    """Write the tree."""
    from minreg.commands.sample import run

    run(directory)
