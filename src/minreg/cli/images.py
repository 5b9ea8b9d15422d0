"""The options of ``minreg images``."""

from typing import Any

import click


@click.command(
    "images",
    help="""List the images that Kubernetes manifests name.

    MANIFESTS are files and directories with YAML or JSON, or - for standard input. First the
    images that nodes will pull, then those that are likely: they have the form of an image, or
    stand in a field for one, in options, variables, configuration or resources of operators. The
    list is input for 'minreg download --skip-k3s -f -'. Images that are not known from the
    manifests, such as those of a chart, are notes on standard error.
    """,
)
@click.argument("manifests", metavar="MANIFESTS...", nargs=-1, required=True)
@click.option("--ignore-likely", is_flag=True, help="Leave out images that are only likely.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object, with the notes.")
def command(**options: Any) -> None:
    """Print the images."""
    from minreg.commands.images import run

    run(**options)
