"""The ``minreg`` command line: commands, their options, and their help.

A command's options are in a module of this package, which imports click alone; what the
command does is in ``minreg.commands``, and is imported when the command is run. So ``--help``
works whatever library is missing.

Exit status: 0 all is well, 1 something failed (one line on stderr says what), 2 wrong
usage.
"""

import importlib
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from minreg import __version__
from minreg.commands.groups import SuggestingGroup


class _Entry(NamedTuple):
    """Where a command is, and what it does, in a line for ``minreg --help``.

    The module has it as ``command``.
    """

    module: str
    summary: str


# A module of this package that is called as a builtin would take its place here: list_, import_.
_COMMANDS: Mapping[str, _Entry] = {
    "download": _Entry("minreg.cli.download", "Fill a tree from upstream registries."),
    "import": _Entry("minreg.cli.import_", "Fill a tree from image archives."),
    "list": _Entry("minreg.cli.list_", "Say what a tree holds."),
    "verify": _Entry("minreg.cli.verify", "Check that a tree is complete and undamaged."),
    "status": _Entry("minreg.cli.status", "Say whether a registry runs, and what it has."),
    "preflight": _Entry("minreg.cli.preflight", "Check that all is there before an upgrade."),
    "prune": _Entry("minreg.cli.prune", "Remove from a tree what no tag reaches."),
    "serve": _Entry("minreg.cli.serve", "Serve a registry tree in the foreground."),
    "node": _Entry("minreg.cli.node", "Make minreg a service of a K3s node."),
    "doctor": _Entry("minreg.cli.doctor", "Find what keeps K3s on this node from its images."),
    "registries": _Entry(
        "minreg.cli.registries", "Write the registries.yaml that has K3s pull from minreg."
    ),
    "missing": _Entry("minreg.cli.missing", "Print what clients asked for in vain."),
    "sample": _Entry("minreg.cli.sample", "Write a small tree with an image that runs."),
}


class _Commands(SuggestingGroup):
    """The commands of the table, not imported before they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's name
        """Name the commands."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(_COMMANDS[cmd_name].module)
        command: click.Command = module.command
        return command

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command that the arguments name; errors are coloured where colours are."""
        run: Any = super().main
        if not extra.pop("standalone_mode", True):
            return run(*args, **extra, standalone_mode=False)
        try:
            status = run(*args, **extra, standalone_mode=False)
        except click.ClickException as error:
            from minreg.commands.terminal import show_exception

            show_exception(error)
            sys.exit(error.exit_code)
        except click.Abort:
            click.echo("Aborted!", err=True)
            sys.exit(1)
        sys.exit(status if isinstance(status, int) else 0)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a command without importing any; options as click does."""
        commands = [
            CompletionItem(name, help=entry.summary)
            for name, entry in _COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's name
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in _COMMANDS.items()])


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A read-only OCI registry for air-gapped K3s systems: fill a tree, carry it, serve it.",
    epilog="'minreg COMMAND --help' says more about a command. NO_COLOR=1 turns colours off.",
)
@click.version_option(__version__, prog_name="minreg", message="%(prog)s %(version)s")
def cli() -> None:
    """Collect the commands."""


def main() -> None:
    """Run the command that the command line names, and exit with its status."""
    cli(prog_name="minreg")
