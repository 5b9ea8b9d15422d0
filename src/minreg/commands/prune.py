"""``minreg prune``: removes from a tree what is not reachable from any tag."""

from collections.abc import Sequence

from minreg.commands.arguments import check_links, read_list
from minreg.commands.reports import WrongUsage, echo_text, reported_failures
from minreg.commands.trees import find_tree
from minreg.fill.prune import PrunePlan, plan_removal, remove
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.names import ImageReference
from minreg.text import count, format_size


def run(
    *,
    directory: str | None,
    keep_files: tuple[str, ...],
    yes: bool,
    allow_links_to: tuple[str, ...],
) -> None:
    """Print what would be removed, or remove it."""
    root, links = find_tree(directory), check_links(allow_links_to)
    with reported_failures():
        keep = _read_lists(keep_files) if keep_files else None
        if not yes:
            _describe(plan_removal(root, keep, links), "would remove")
            return
        with TreeWriter(root, "minreg prune") as tree:
            removal = plan_removal(root, keep, links)
            remove(removal, tree)
    _describe(removal, "removed")


def _read_lists(paths: Sequence[str]) -> list[ImageReference]:
    keep = [reference for path in paths for reference in read_list(path)]
    if not keep:
        raise WrongUsage(
            f"no image is listed in {' or '.join(paths)}, so the whole tree would be removed: "
            "list the images to keep, or delete the directory"
        )
    return keep


def _describe(removal: PrunePlan, verb: str) -> None:
    for image in removal.images:
        echo_text(f"{verb} {image}")
    for repository, digest in removal.untagged:
        echo_text(f"{verb} {repository}@{digest}, which is not reachable from any tag")
    echo_text(
        f"{verb} {count(len(removal.images), 'image')}, "
        f"{count(len(removal.manifests), 'manifest')} and "
        f"{count(len(removal.blobs), 'blob')} ({format_size(removal.size)})"
    )
