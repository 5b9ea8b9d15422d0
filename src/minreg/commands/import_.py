"""``minreg import``: what was carried to a machine without a network, into a tree."""

import os
import sys

import click

from minreg.commands.arguments import parse_platforms
from minreg.commands.next_steps import after_filling
from minreg.commands.reports import reported_failures, say
from minreg.commands.terminal import byte_bar, echo_error, echo_next
from minreg.fill.archives.failures import ArchiveInvalid
from minreg.fill.archives.source import measure_source
from minreg.fill.importer import ImportedImage, Importer
from minreg.fill.tree.writer import TreeWriter
from minreg.words import format_size


@click.command(
    "import",
    help="""Import image archives into a registry tree.

    SOURCE is a file, a directory, or - for standard input: a K3s air-gap tarball, an OCI
    layout, or what 'docker save' or 'ctr images export' wrote, plain or compressed with
    gzip, zstd, bzip2 or xz. No network is touched.
    """,
)
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option(
    "-d",
    "--directory",
    default="./registry",
    show_default=True,
    type=click.Path(file_okay=False),
    help="The tree; it is made if it is not there.",
)
@click.option(
    "-p",
    "--platform",
    "platforms",
    multiple=True,
    help="Take only this platform, such as linux/arm64; repeatable.",
)
@click.option("--name", default="", help="What to call an image that its archive does not name.")
@click.option("-n", "--no-trim", is_flag=True, help="Keep the registry's host in names.")
def command(
    *,
    sources: tuple[str, ...],
    directory: str,
    platforms: tuple[str, ...],
    name: str,
    no_trim: bool,
) -> None:
    """Import each archive, and say what came of it."""
    failed = 0
    wanted = parse_platforms(platforms)
    with reported_failures(), TreeWriter(directory, "minreg import") as tree:
        importer = Importer(tree, name=name, trimmed=not no_trim, platforms=wanted)
        for source in sources:
            try:
                for image in _import(importer, source):
                    say(_describe(image))
            except ArchiveInvalid as failure:
                echo_error(str(failure))
                failed += 1
            except KeyboardInterrupt:
                raise click.ClickException(
                    "stopped: the images that were named are there; "
                    "run the same command again for the others"
                ) from None
    if failed:
        sys.exit(1)
    echo_next(*after_filling(directory, is_verified=True))


def _import(importer: Importer, source: str) -> list[ImportedImage]:
    """Import an archive, with a bar that shows how far it was read on a terminal."""
    name = os.path.basename(source.rstrip("/")) or source
    with byte_bar(name, measure_source(source)) as advanced:
        return importer.import_archive(source, sys.stdin.buffer, advanced)


def _describe(image: ImportedImage) -> str:
    missing = ", ".join(str(platform) for platform in image.missing)
    sparse = f"; not there: {missing}" if missing else ""
    return f"{image.reference} is now {image}, {image.digest}, {format_size(image.size)}{sparse}"
