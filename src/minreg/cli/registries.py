"""The options of ``minreg registries``."""

from typing import Any

import click

from minreg.cli.shared import directory_option
from minreg.defaults import ENDPOINT, MIRROR_NAME, REGISTRIES


@click.command(
    "registries",
    help=f"""Write the registries.yaml that has K3s pull from minreg.

    It names K3s' own registry, each registry whose name the tree keeps (minreg download
    --no-trim), and each REGISTRY that is named here. K3s reads {REGISTRIES} when it starts.
    """,
)
@click.argument("registries", nargs=-1, metavar="[REGISTRY]...")
@directory_option
@click.option("--wildcard", is_flag=True, help="One entry for all registries, whatever they are.")
@click.option(
    "--system-default-registry",
    default=MIRROR_NAME,
    show_default=True,
    metavar="NAME",
    help="What K3s is given by its own option of this name.",
)
@click.option(
    "--endpoint",
    multiple=True,
    default=[ENDPOINT],
    show_default=True,
    metavar="URL",
    help="Where minreg is to be found; repeatable, in the order in which K3s is to ask.",
)
@click.option(
    "--ca-file", metavar="FILE", help="What https:// endpoints' certificates go back to."
)
@click.option("--cert-file", metavar="FILE", help="The certificate that K3s shows them.")
@click.option("--key-file", metavar="FILE", help="The key to that.")
@click.option("--insecure-skip-verify", is_flag=True, help="Take any certificate of theirs.")
@click.option("--username", help="How endpoints on other machines know K3s.")
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="The file with the password, or - for the standard input.",
)
@click.option(
    "--merge",
    metavar="FILE",
    help="Add to what stands in FILE, and leave all of that as it is.",
)
@click.option("--output", metavar="FILE", help="Write FILE instead of the standard output.")
@click.option(
    "--hosts-toml",
    type=click.Path(file_okay=False),
    help="Write what K3s would make of it for containerd, into this directory.",
)
@click.option(
    "--disable-default-registry-endpoint",
    is_flag=True,
    help="K3s is started with this option; for --hosts-toml.",
)
def command(**options: Any) -> None:
    """Write the file."""
    from minreg.commands.registries import run

    run(**options)
