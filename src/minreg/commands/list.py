"""``minreg list``: what a tree holds."""

import json
import sys
from collections import Counter
from collections.abc import Sequence

import attrs
import click

from minreg.commands.arguments import check_links
from minreg.commands.reports import reported_failures, say
from minreg.commands.trees import find_tree
from minreg.fill.tree.contents import TreeContents
from minreg.fill.tree.inventory import take_inventory
from minreg.names import Digest
from minreg.store.held import HeldImage
from minreg.words import format_size, printable

_HEADINGS = ("IMAGE", "DIGEST", "PLATFORMS", "NOT HERE", "SIZE", "SHARED")
_DIGEST_SHOWN = len("sha256:") + 12


@attrs.frozen
class _Row:
    """An image, and how many of its bytes other images have too."""

    image: HeldImage
    shared: int


def run(*, directory: str | None, as_json: bool, allow_links_to: tuple[str, ...]) -> None:
    """List the images."""
    root = find_tree(directory)
    with reported_failures():
        inventory = take_inventory(TreeContents(root, check_links(allow_links_to)))
    rows = _make_rows(inventory.images)
    if as_json:
        click.echo(json.dumps([_as_json(row) for row in rows], indent=2))
    else:
        for line in _make_table([_HEADINGS, *(_as_text(row) for row in rows)]):
            click.echo(line)
    for reason in inventory.unread:
        say(f"not looked at: {reason}", err=True)
    if inventory.unread:
        sys.exit(1)


def _make_rows(images: Sequence[HeldImage]) -> list[_Row]:
    sizes: dict[Digest, int] = {}
    uses: Counter[Digest] = Counter()
    roots: dict[tuple[str, Digest | None], HeldImage] = {}
    for image in images:
        # Two tags of one image do not share it: there is only one.
        if roots.setdefault((image.place, image.root), image) is image:
            uses.update(image.blobs.keys())
        sizes |= {digest: blob.size for digest, blob in image.blobs.items()}
    return [
        _Row(image, sum(sizes[digest] for digest in image.blobs if uses[digest] > 1))
        for image in images
    ]


def _as_json(row: _Row) -> dict[str, object]:
    image = row.image
    return {
        "repository": image.place,
        "tag": image.reference if isinstance(image.reference, str) else None,
        "digest": str(image.root) if image.root is not None else None,
        "platforms": [str(platform) for platform in image.present],
        "absent_platforms": [str(platform) for platform in image.absent],
        "size": image.size,
        "shared": row.shared,
        "problems": list(image.problems),
    }


def _as_text(row: _Row) -> tuple[str, ...]:
    image = row.image
    tag = f":{image.reference}" if isinstance(image.reference, str) else ""
    cells = (
        f"{image.place}{tag}",
        str(image.root)[:_DIGEST_SHOWN] if image.root is not None else "missing",
        ",".join(map(str, image.present)) or "-",
        ",".join(map(str, image.absent)) or "-",
        format_size(image.size),
        format_size(row.shared),
    )
    return tuple(map(printable, cells))


def _make_table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
