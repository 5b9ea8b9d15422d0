"""``minreg import``: imports image archives into a tree."""

import os
import sys

import click

from minreg.commands.arguments import parse_platforms
from minreg.commands.next_steps import list_next_steps
from minreg.commands.reports import echo_text, reported_failures
from minreg.commands.terminal import byte_bar, echo_error, echo_next
from minreg.commands.trees import choose_target
from minreg.defaults import NODE_TREES
from minreg.fill.archives.source import measure_source
from minreg.fill.errors import ArchiveInvalid
from minreg.fill.importer import ImportedImage, Importer
from minreg.fill.tree.writer import TreeWriter
from minreg.text import format_size, printable


def run(
    *,
    sources: tuple[str, ...],
    directory: str | None,
    platforms: tuple[str, ...],
    name: str,
    no_trim: bool,
) -> None:
    """Import each archive, and print its images.

    Raises:
        ClickException: No archive exists, or the tree cannot be written.
        SystemExit: An archive is invalid.
    """
    failed = 0
    selected = parse_platforms(platforms)
    absent = [source for source in sources if source != "-" and not os.path.lexists(source)]
    if len(absent) == len(sources):
        raise click.ClickException(
            f"{', '.join(map(printable, absent))}: no such file: nothing was imported"
        )
    root = choose_target(directory, node_trees=NODE_TREES)
    with reported_failures(), TreeWriter(root, "minreg import") as tree:
        importer = Importer(tree, name=name, trimmed=not no_trim, platforms=selected, report=_note)
        for source in sources:
            try:
                for image in _import(importer, source):
                    echo_text(_describe(image))
            except ArchiveInvalid as failure:
                echo_error(str(failure))
                failed += 1
            except KeyboardInterrupt:
                raise click.ClickException(
                    "stopped: the images listed above are complete: "
                    "run the same command again for the others"
                ) from None
    if failed:
        sys.exit(1)
    echo_next(*list_next_steps(root, is_verified=True))


def _import(importer: Importer, source: str) -> list[ImportedImage]:
    """Import an archive, with a progress bar on a terminal."""
    name = os.path.basename(source.rstrip("/")) or source
    with byte_bar(name, measure_source(source)) as advanced:
        return importer.import_archive(source, sys.stdin.buffer, advanced)


def _note(text: str) -> None:
    echo_text(f"note: {text}", err=True)


def _describe(image: ImportedImage) -> str:
    missing = ", ".join(str(platform) for platform in image.missing)
    absent = f"; not in the archive: {missing}" if missing else ""
    subject = f"; refers to {image.subject}" if image.subject else ""
    return (
        f"{image.reference} is now {image}, {image.digest}, "
        f"{format_size(image.size)}{subject}{absent}"
    )
