"""The options of ``minreg doctor``."""

from typing import Any

import click

from minreg.cli.shared import NonEmptyPath


@click.command(
    "doctor",
    help="""Find what keeps K3s or RKE2 on this node from pulling images, and how to fix it.

    It reads their configuration and containerd's, works out which registry will serve each
    image, and checks the running minreg. It changes nothing. The exit status is 0 if there is
    nothing to fix, or only suggestions; 1 if there are errors or warnings; and 2 if the node
    could not be checked.
    """,
)
@click.option(
    "--root-prefix",
    default="/",
    show_default=True,
    type=NonEmptyPath(exists=True, file_okay=False),
    help="The root directory of the node's file system. Use it for a node that is not running, "
    "such as a disk image that is mounted at a directory.",
)
@click.option("--json", "as_document", is_flag=True, help="Write a JSON document.")
@click.option(
    "--fix",
    is_flag=True,
    help="Print the changes as a diff for 'patch -p1 -d /'. Nothing is changed.",
)
def command(**options: Any) -> None:
    """Check the node."""
    from minreg.commands.doctor import run

    run(**options)
