"""The options of ``minreg preflight``."""

from typing import Any

import click

from minreg.cli.shared import directory_option
from minreg.defaults import (
    COMPONENT_NAMES,
    DEFAULT_ALIAS,
    DEFAULT_CONTROLLER,
    DEFAULT_KUBECTL,
)


@click.command(
    "preflight",
    help="""Check that all is in a tree that a node will ask for: before it asks.

    Each image of a K3s release, of lists and of Kubernetes manifests is followed as a node
    would: from its tag to the manifest for the node's platform, a config that is really of
    that platform, and the layers. The standard output lists the images that are not ready,
    as 'minreg download --skip-k3s -f -' reads them. The exit status is 0 if all is there,
    1 if not, and 2 if that could not be found out.
    """,
)
@directory_option
@click.option(
    "-k",
    "--k3s",
    metavar="VERSION",
    help="A K3s release, such as v1.33.4+k3s1, whose list 'minreg download' kept in the tree.",
)
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="A list of images, one a line; - is the standard input. Repeatable.",
)
@click.option(
    "-m",
    "--manifests",
    metavar="DIR",
    multiple=True,
    help="Kubernetes manifests: a directory, a file, a pipe, or - for standard input. Repeatable.",
)
@click.option(
    "-p",
    "--platform",
    "platforms",
    multiple=True,
    help="A platform of nodes, such as linux/arm64, or 'all'. Repeatable.  [default: this one's]",
)
@click.option(
    "--disable",
    "disabled",
    metavar="COMPONENT",
    multiple=True,
    help=f"What K3s is told to leave out: {', '.join(COMPONENT_NAMES)}. Repeatable.",
)
@click.option("--upgrade", is_flag=True, help="Also what the system-upgrade-controller needs.")
@click.option(
    "--upgrade-controller",
    metavar="IMAGE",
    help=f"The controller itself.  [default: as in --manifests, or {DEFAULT_CONTROLLER}]",
)
@click.option(
    "--upgrade-kubectl",
    metavar="IMAGE",
    help=f"What it drains nodes with.  [default: as in --manifests, or {DEFAULT_KUBECTL}]",
)
@click.option(
    "--system-default-registry",
    metavar="HOST",
    help="The registry that K3s is told to have its own images from.",
)
@click.option(
    "--registry-alias",
    metavar="NAME=HOST",
    multiple=True,
    help=f"As for 'minreg serve', besides {DEFAULT_ALIAS}. Repeatable.",
)
@click.option("--allow-links-to", metavar="DIR", multiple=True, help="As for 'minreg serve'.")
@click.option("--deep", is_flag=True, help="Hash all content, too.")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON object.")
def command(**options: Any) -> None:
    """Look, and exit with the status that tells the outcome."""
    from minreg.commands.preflight import run

    run(**options)
