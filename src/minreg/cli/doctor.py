"""The options of ``minreg doctor``."""

from typing import Any

import click


@click.command(
    "doctor",
    help="""Find what keeps K3s or RKE2 on this node from its images, and say how to fix it.

    It reads what they read and what they have written, works out who will be asked for each
    image, and asks the registry that runs. It changes nothing. The exit status is 0 if there
    is nothing to fix, or there are only suggestions; 1 if there are errors or warnings; and 2
    if it could not look.
    """,
)
@click.option(
    "--root-prefix",
    default="/",
    show_default=True,
    type=click.Path(exists=True, file_okay=False),
    help="The directory that stands for the node's root, for those who build images.",
)
@click.option("--json", "as_document", is_flag=True, help="Write a JSON document.")
@click.option(
    "--fix",
    is_flag=True,
    help="Show as a diff what to change in files. It is for 'patch -p1 -d /': nothing is changed.",
)
def command(**options: Any) -> None:
    """Look, and exit with the status that tells the outcome."""
    from minreg.commands.doctor import run

    run(**options)
