"""``minreg prune``: without what no tag reaches."""

import click

from minreg.commands.arguments import directory_option, read_list
from minreg.commands.reports import reported_failures
from minreg.fill.prune import Removal, plan_removal, remove
from minreg.fill.writer import TreeWriter
from minreg.words import count, format_size


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
def command(*, directory: str, keep_files: tuple[str, ...], yes: bool) -> None:
    """Say what would be removed, or remove it."""
    with reported_failures():
        keep = None
        if keep_files:
            keep = [reference for path in keep_files for reference in read_list(path)]
        if not yes:
            _describe(plan_removal(directory, keep), "would remove")
            return
        with TreeWriter(directory, "minreg prune") as tree:
            removal = plan_removal(directory, keep)
            remove(removal, tree)
    _describe(removal, "removed")


def _describe(removal: Removal, verb: str) -> None:
    for image in removal.images:
        click.echo(f"{verb} {image}")
    click.echo(
        f"{verb} {count(len(removal.images), 'image')}, "
        f"{count(len(removal.manifests), 'manifest')} and "
        f"{count(len(removal.blobs), 'blob')} ({format_size(removal.size)})"
    )
