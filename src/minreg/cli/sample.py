"""The options of ``minreg sample``."""

import click

from minreg.defaults import SAMPLE_REPOSITORY, SAMPLE_TAGS


@click.command(
    "sample",
    help=f"""Write a small registry tree into DIRECTORY, to try a registry with.

    It holds one image, {SAMPLE_REPOSITORY}, tagged {" and ".join(SAMPLE_TAGS)}, which runs on
    linux/amd64 and linux/arm64, and an artifact that refers to it. What DIRECTORY holds
    already stays.
    """,
)
@click.argument("directory", type=click.Path(file_okay=False))
def command(directory: str) -> None:
    """Write the sample."""
    from minreg.commands.sample import run

    run(directory)
