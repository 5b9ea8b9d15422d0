"""``minreg sample``: something to serve before there is anything to serve."""

import click

from minreg.commands.reports import reported_failures
from minreg.fill.sample import REPOSITORY, TAGS, write_sample
from minreg.fill.tree.writer import TreeWriter


def run(directory: str) -> None:
    """Write the sample, and say what was done."""
    with reported_failures():
        with TreeWriter(directory, "minreg sample") as tree:
            is_new = write_sample(tree)
    images = " and ".join(f"{REPOSITORY}:{tag}" for tag in TAGS)
    if is_new:
        click.echo(f"{directory} now holds {images}")
    else:
        click.echo(f"{directory} holds {images} already: nothing to do")
