"""The options of ``minreg preflight``."""

from typing import Any

import click

from minreg.cli.shared import complete_platform, directory_option, list_option
from minreg.defaults import (
    COMPONENT_NAMES,
    DEFAULT_ALIAS,
    DEFAULT_CONTROLLER,
    DEFAULT_KUBECTL,
)


@click.command(
    "preflight",
    help="""Check that a tree has all images that nodes will pull, before they do.

    Each image of a K3s release, of lists and of Kubernetes manifests is resolved as a node
    would do: from its tag to the manifest for the node's platform, a config that is really
    of that platform, and the layers. The images that are not ready are printed to standard
    output, as input for 'minreg download --skip-k3s -f -'. The exit status is 0 if all images
    are ready, 1 if not, and 2 if the check could not be done.
    """,
)
@directory_option
@click.option(
    "-k",
    "--k3s",
    metavar="VERSION",
    help="A K3s release, such as v1.33.4+k3s1, whose image list is in the tree.",
)
@list_option
@click.option(
    "-m",
    "--manifests",
    metavar="DIR",
    multiple=True,
    help="Kubernetes manifests: a directory, a file, or - for standard input. Repeatable.",
)
@click.option(
    "-p",
    "--platform",
    "platforms",
    multiple=True,
    shell_complete=complete_platform,
    help="A platform of nodes, such as linux/arm64, or 'all'. Repeatable.  "
    "[default: that of this machine]",
)
@click.option(
    "--disable",
    "disabled",
    metavar="COMPONENT",
    multiple=True,
    help=f"A component that K3s disables: {', '.join(COMPONENT_NAMES)}. Repeatable.",
)
@click.option(
    "--upgrade", is_flag=True, help="Check the images of the system-upgrade-controller too."
)
@click.option(
    "--upgrade-controller",
    metavar="IMAGE",
    help=f"The image of the controller.  [default: as in --manifests, or {DEFAULT_CONTROLLER}]",
)
@click.option(
    "--upgrade-kubectl",
    metavar="IMAGE",
    help=f"The image that drains nodes.  [default: as in --manifests, or {DEFAULT_KUBECTL}]",
)
@click.option(
    "--system-default-registry",
    metavar="HOST",
    help="K3s' own option of this name: the registry of its system images.",
)
@click.option(
    "--registry-alias",
    metavar="NAME=HOST",
    multiple=True,
    help=f"As for 'minreg serve', in addition to {DEFAULT_ALIAS}. Repeatable.",
)
@click.option(
    "--allow-links-to", metavar="DIR", multiple=True, help="As for 'minreg serve'. Repeatable."
)
@click.option(
    "--ignore-likely",
    is_flag=True,
    help="Do not fail for images that are only likely: those that manifests name in options, "
    "variables, configuration or resources of operators.",
)
@click.option("--deep", is_flag=True, help="Hash all content too.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def command(**options: Any) -> None:
    """Check the images."""
    from minreg.commands.preflight import run

    run(**options)
