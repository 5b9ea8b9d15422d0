"""The options of ``minreg import``."""

from typing import Any

import click

from minreg.cli.shared import NonEmptyPath, complete_platform
from minreg.defaults import LOCAL_TREE, NODE_TREES


@click.command(
    "import",
    help="""Import image archives into a registry tree.

    SOURCE is a file, a directory, or - for standard input: a K3s air-gap archive, an OCI
    image layout, or the output of 'docker save', 'ctr images export', 'skopeo copy' or 'hauler
    store save', also compressed with gzip, zstd, bzip2 or xz. Signatures are imported with
    their images. The network is not used.
    """,
)
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=NonEmptyPath())
@click.option(
    "-d",
    "--directory",
    metavar="DIR",
    help="The root of the tree, which is created if it does not exist.  "
    f"[default: $MINREG_ROOT if set; otherwise the first of {LOCAL_TREE} and {NODE_TREES[0]} that "
    f"exists; otherwise {LOCAL_TREE}]",
)
@click.option(
    "-p",
    "--platform",
    "platforms",
    multiple=True,
    shell_complete=complete_platform,
    help="Import only this platform, such as linux/arm64. Repeatable.",
)
@click.option(
    "--name",
    default="",
    help="The name of images that the archive does not name. Without a tag, each keeps its own "
    "tag. With @DIGEST, only the image with that digest is named.",
)
@click.option(
    "-n", "--no-trim", is_flag=True, help="Keep the registry's host in the repository name."
)
def command(**options: Any) -> None:
    """Import the archives."""
    from minreg.commands.import_ import run

    run(**options)
