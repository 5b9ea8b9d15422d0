"""``minreg list``: lists the images of a tree."""

import json
import sys
from collections import Counter
from collections.abc import Sequence

import attrs
import click

from minreg.commands.arguments import check_links
from minreg.commands.reports import reported_failures
from minreg.commands.terminal import Style, colorize, echo, find_width
from minreg.commands.trees import find_tree
from minreg.fill.tree.inventory import list_images_in_tree
from minreg.fill.tree.reader import TreeReader
from minreg.oci.names import Digest
from minreg.store.images import StoredImage
from minreg.text import format_size, printable

_HEADINGS = ("IMAGE", "DIGEST", "PLATFORMS", "ABSENT", "SIZE", "SHARED")
_OPTIONAL_COLUMNS = ("SHARED", "DIGEST", "ABSENT")
_DIGEST_WIDTH = len("sha256:") + 12


@attrs.frozen
class _Row:
    """An image, and the bytes that it shares with other images."""

    image: StoredImage
    shared: int


def run(*, directory: str | None, as_json: bool, allow_links_to: tuple[str, ...]) -> None:
    """Print the images.

    Raises:
        SystemExit: A part of the tree cannot be read.
    """
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
        echo(colorize(f"not checked: {reason}", Style.WARNING), err=True)
    if inventory.unread:
        sys.exit(1)
    if not rows:
        line = f"{root} has no image: fill it with minreg download or minreg import"
        echo(printable(line), err=True)


def _make_rows(images: Sequence[StoredImage]) -> list[_Row]:
    sizes: dict[Digest, int] = {}
    uses: Counter[Digest] = Counter()
    roots: dict[tuple[str, Digest | None], StoredImage] = {}
    for image in images:
        # Two tags of one image are one image, which is not shared.
        if roots.setdefault((image.repository_path, image.root), image) is image:
            uses.update(image.blobs.keys())
        sizes |= {digest: blob.size for digest, blob in image.blobs.items()}
    return [
        _Row(image, sum(sizes[digest] for digest in image.blobs if uses[digest] > 1))
        for image in images
    ]


def _as_json(row: _Row) -> dict[str, object]:
    image = row.image
    return {
        "repository": image.repository_path,
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
        f"{image.repository_path}{tag}",
        str(image.root)[:_DIGEST_WIDTH] if image.root is not None else "missing",
        ",".join(map(str, image.present)) or "-",
        ",".join(map(str, image.absent)) or "-",
        format_size(image.size),
        format_size(row.shared),
    )
    return tuple(map(printable, cells))


def _make_table(rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Return the lines of a table.

    Args:
        rows: The headings, and the cells of each row.
        width: The width of the terminal in columns, None for no limit. A table that is wider lacks
            the columns SHARED, DIGEST and ABSENT, as far as needed.
    """
    columns = list(zip(*rows, strict=True))
    for heading in _OPTIONAL_COLUMNS:
        if width is None or sum(_width(column) + 2 for column in columns) - 2 <= width:
            break
        columns = [column for column in columns if column[0] != heading]
    cells = [[cell.ljust(_width(column)) for cell in column] for column in columns]
    return ["  ".join(row).rstrip() for row in zip(*cells, strict=True)]


def _width(column: Sequence[str]) -> int:
    return max(map(len, column))
