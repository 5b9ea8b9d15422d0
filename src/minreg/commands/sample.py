"""``minreg sample``: writes a small registry tree to try minreg with."""

import click

from minreg.commands.reports import reported_failures
from minreg.fill.sample import REPOSITORY, TAGS, write_sample
from minreg.fill.tree.writer import TreeWriter


def run(directory: str) -> None:
    """Write the tree, and print its images."""
    with reported_failures():
        with TreeWriter(directory, "minreg sample") as tree:
            is_new = write_sample(tree)
    images = " and ".join(f"{REPOSITORY}:{tag}" for tag in TAGS)
    if is_new:
        click.echo(f"{directory} now has {images}")
    else:
        click.echo(f"{directory} already has {images}")
