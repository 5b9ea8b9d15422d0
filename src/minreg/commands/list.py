"""``minreg list``: what a tree holds."""

import json
import sys
from collections import Counter
from collections.abc import Sequence

import attrs
import click

from minreg.commands.arguments import check_links
from minreg.commands.reports import reported_failures
from minreg.commands.terminal import Look, echo, find_width, paint
from minreg.commands.trees import find_tree
from minreg.fill.tree.inventory import list_images_in_tree
from minreg.fill.tree.reader import TreeReader
from minreg.oci.names import Digest
from minreg.store.images import StoredImage
from minreg.text import format_size, printable

_HEADINGS = ("IMAGE", "DIGEST", "PLATFORMS", "NOT HERE", "SIZE", "SHARED")
_DISPENSABLE = ("SHARED", "DIGEST", "NOT HERE")
_DIGEST_SHOWN = len("sha256:") + 12


@attrs.frozen
class _Row:
    """An image, and how many of its bytes other images have too."""

    image: StoredImage
    shared: int


def run(*, directory: str | None, as_json: bool, allow_links_to: tuple[str, ...]) -> None:
    """List the images."""
    root = find_tree(directory)
    with reported_failures():
        inventory = list_images_in_tree(TreeReader(root, check_links(allow_links_to)))
    rows = _make_rows(inventory.images)
    if as_json:
        click.echo(json.dumps([_as_json(row) for row in rows], indent=2))
    else:
        for line in _make_table([_HEADINGS, *(_as_text(row) for row in rows)], find_width()):
            click.echo(line)
    for reason in inventory.unread:
        echo(paint(f"not looked at: {reason}", Look.WARNING), err=True)
    if inventory.unread:
        sys.exit(1)


def _make_rows(images: Sequence[StoredImage]) -> list[_Row]:
    sizes: dict[Digest, int] = {}
    uses: Counter[Digest] = Counter()
    roots: dict[tuple[str, Digest | None], StoredImage] = {}
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


def _make_table(rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Write a table.

    Args:
        rows: The headings, and the cells of each row.
        width: Columns of the terminal that it has to fit into, None if it may be as wide as it
            is. What matters least is left out then: what images share, digests, and what
            platforms are not here.
    """
    columns = list(zip(*rows, strict=True))
    for heading in _DISPENSABLE:
        if width is None or sum(_width(column) + 2 for column in columns) - 2 <= width:
            break
        columns = [column for column in columns if column[0] != heading]
    cells = [[cell.ljust(_width(column)) for cell in column] for column in columns]
    return ["  ".join(row).rstrip() for row in zip(*cells, strict=True)]


def _width(column: Sequence[str]) -> int:
    return max(map(len, column))
