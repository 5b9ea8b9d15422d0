"""``minreg prune``: without what no tag reaches."""

from collections.abc import Sequence

import click

from minreg.commands.arguments import directory_option, links_option, read_list
from minreg.commands.reports import WrongUsage, reported_failures, say
from minreg.fill.prune import PrunePlan, plan_removal, remove
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.names import ImageReference
from minreg.text import count, format_size


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
def command(
    *, directory: str, keep_files: tuple[str, ...], yes: bool, allow_links_to: tuple[str, ...]
) -> None:
    """Say what would be removed, or remove it."""
    with reported_failures():
        keep = _read_lists(keep_files) if keep_files else None
        if not yes:
            _describe(plan_removal(directory, keep, allow_links_to), "would remove")
            return
        with TreeWriter(directory, "minreg prune") as tree:
            removal = plan_removal(directory, keep, allow_links_to)
            remove(removal, tree)
    _describe(removal, "removed")


def _read_lists(paths: Sequence[str]) -> list[ImageReference]:
    keep = [reference for path in paths for reference in read_list(path)]
    if not keep:
        raise WrongUsage(
            f"no image is named in {' or '.join(paths)}, so all of the tree would go: "
            "name the images to keep, or remove the directory"
        )
    return keep


def _describe(removal: PrunePlan, verb: str) -> None:
    for image in removal.images:
        say(f"{verb} {image}")
    for repository, digest in removal.untagged:
        say(f"{verb} {repository}@{digest}, which no tag reaches")
    say(
        f"{verb} {count(len(removal.images), 'image')}, "
        f"{count(len(removal.manifests), 'manifest')} and "
        f"{count(len(removal.blobs), 'blob')} ({format_size(removal.size)})"
    )
