"""The options of ``minreg node``."""

from collections.abc import Callable
from typing import Any

import click

from minreg.commands.groups import SuggestingGroup
from minreg.defaults import NODE_TREES


@click.group(
    "node",
    cls=SuggestingGroup,
    help="Make minreg a service of this K3s node, or of an image of one.",
)
def command() -> None:
    """Collect the commands."""


def _common(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that both have."""
    for option in (
        click.option("--dry-run", is_flag=True, help="Only say what would be done."),
        click.option(
            "--destdir",
            default="/",
            type=click.Path(file_okay=False),
            help="The directory that stands for the node's root, for those who build images.",
        ),
    ):
        function = option(function)
    return function


@command.command("install")
@_common
@click.option(
    "--root", help=f"The registry tree.  [default: what was installed before, or {NODE_TREES[0]}]"
)
@click.option(
    "--program",
    help="The twistd that runs minreg on the node.  "
    "[default: what was installed before, or that of this installation]",
)
@click.option(
    "--route/--no-route",
    default=None,
    help="Have a default route made at boot where there is none.  "
    "[default: if this node has none now, or had none before]",
)
@click.option(
    "--agent/--server",
    "is_agent",
    default=None,
    help="What K3s is going to be on this node, as long as it is not installed.  "
    "[default: what was said before; an agent if K3S_URL is set, as for K3s' install.sh]",
)
@click.option("--start", is_flag=True, help="Start minreg as well, and run 'minreg doctor'.")
def install(**options: Any) -> None:
    """Write the systemd units, and what has K3s or RKE2 pull from minreg.

    What is there already stays; a file that was changed by hand is never overwritten: what
    minreg would have written is shown, and the exit status is 1. With --start that of 'minreg
    doctor' counts as well.
    """
    from minreg.commands import node

    node.install(**options)


@command.command("uninstall")
@_common
@click.option("--stop", is_flag=True, help="Stop minreg as well.")
def uninstall(**options: Any) -> None:
    """Remove what install has written and nobody has changed. The registry tree stays."""
    from minreg.commands import node

    node.uninstall(**options)
