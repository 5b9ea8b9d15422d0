"""The options of ``minreg import``."""

from typing import Any

import click

from minreg.defaults import LOCAL_TREE, NODE_TREES


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
    metavar="DIR",
    help="The root of the tree, which is made if it is not there.  "
    f"[default: $MINREG_ROOT, or {LOCAL_TREE}, or {NODE_TREES[0]} if that is there]",
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
def command(**options: Any) -> None:
    """Import each archive, and say what came of it."""
    from minreg.commands.import_ import run

    run(**options)
