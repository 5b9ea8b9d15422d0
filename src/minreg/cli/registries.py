"""The options of ``minreg registries``."""

from typing import Any

import click

from minreg.cli.shared import NonEmptyPath, directory_option
from minreg.defaults import ENDPOINT, MIRROR_NAME, REGISTRIES


@click.command(
    "registries",
    help=f"""Write the registries.yaml with which K3s pulls from minreg.

    It has a mirror for K3s' system images, for each registry whose host is in the tree
    ('minreg download --no-trim'), and for each REGISTRY. K3s reads {REGISTRIES}
    when it starts.
    """,
)
@click.argument("registries", nargs=-1, metavar="[REGISTRY]...")
@directory_option
@click.option("--wildcard", is_flag=True, help="Write one mirror for all registries.")
@click.option(
    "--system-default-registry",
    default=MIRROR_NAME,
    show_default=True,
    metavar="NAME",
    help="K3s' own option of this name: the registry of its system images.",
)
@click.option(
    "--endpoint",
    multiple=True,
    default=[ENDPOINT],
    show_default=True,
    metavar="URL",
    help="The URL of minreg. Repeatable, in the order in which K3s tries them.",
)
@click.option("--ca-file", metavar="FILE", help="The certificate authority of https:// endpoints.")
@click.option("--cert-file", metavar="FILE", help="The client certificate of K3s.")
@click.option("--key-file", metavar="FILE", help="The key of the client certificate.")
@click.option(
    "--insecure-skip-verify", is_flag=True, help="Do not verify the certificates of endpoints."
)
@click.option("--username", help="The user name for endpoints on other machines.")
@click.option(
    "--password-file",
    type=NonEmptyPath(exists=True, dir_okay=False, allow_dash=True),
    help="The file with the password, or - for standard input.",
)
@click.option(
    "--merge",
    metavar="FILE",
    help="Add to FILE, without changing what it has.",
)
@click.option("--output", metavar="FILE", help="Write to FILE instead of standard output.")
@click.option(
    "--hosts-toml",
    type=NonEmptyPath(file_okay=False),
    help="Write the hosts.toml files that K3s would make of it to this directory.",
)
@click.option(
    "--disable-default-registry-endpoint",
    is_flag=True,
    help="For --hosts-toml: K3s is started with this option.",
)
def command(**options: Any) -> None:
    """Write the file."""
    from minreg.commands.registries import run

    run(**options)
