"""The options of ``minreg node``."""

from collections.abc import Callable
from typing import Any

import click

from minreg.cli.shared import NonEmptyPath
from minreg.commands.groups import SuggestingGroup
from minreg.defaults import NODE_TREES


@click.group(
    "node",
    cls=SuggestingGroup,
    help="Install minreg as a service of this K3s node, or of an image of one.",
)
def command() -> None:
    """Do nothing: the group only has commands."""


def _common(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that both commands have."""
    for option in (
        click.option(
            "--dry-run", is_flag=True, help="Print what would be done, and change nothing."
        ),
        click.option(
            "--destdir",
            default="/",
            type=NonEmptyPath(file_okay=False),
            help="The root directory of the node, for example of an image of it.",
        ),
    ):
        function = option(function)
    return function


@command.command("install")
@_common
@click.option(
    "--root", help=f"The registry tree.  [default: the installed one, or {NODE_TREES[0]}]"
)
@click.option(
    "--program",
    help="The minreg command on the node.  [default: the installed one, or this one]",
)
@click.option(
    "--route/--no-route",
    default=None,
    help="Create a default route at boot if there is none.  "
    "[default: if this node has none, or an earlier run did so]",
)
@click.option(
    "--agent/--server",
    "is_agent",
    default=None,
    help="Whether K3s will be an agent or a server, if it is not installed yet.  "
    "[default: as in an earlier run; an agent if K3S_URL is set, as for K3s' install.sh]",
)
@click.option("--start", is_flag=True, help="Start minreg, and run 'minreg doctor'.")
def install(**options: Any) -> None:
    """Install systemd units, and configure K3s or RKE2 to pull from minreg.

    Existing settings are not changed. A file that was changed by hand is not replaced: the
    difference is printed, and the exit status is 1. With --start, that of 'minreg doctor'
    applies too.
    """
    from minreg.commands import node

    node.install(**options)


@command.command("uninstall")
@_common
@click.option("--stop", is_flag=True, help="Stop minreg.")
def uninstall(**options: Any) -> None:
    """Remove the installed files, except those changed by hand. The registry tree is kept."""
    from minreg.commands import node

    node.uninstall(**options)
