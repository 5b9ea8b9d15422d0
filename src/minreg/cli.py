"""The ``minreg`` command. A command's module is imported when that command is run.

Exit status: 0 all is well, 1 something failed (one line on stderr says what), 2 wrong
usage.
"""

import importlib
from collections.abc import Mapping

import attrs
import click

from minreg import __version__


@attrs.frozen
class _CommandEntry:
    """Where a command is, and what it does, in a line for ``minreg --help``.

    The module has it as ``command``.
    """

    module: str
    summary: str


_COMMANDS: Mapping[str, _CommandEntry] = {
    "download": _CommandEntry("minreg.commands.download", "Fill a tree from upstream registries."),
    "import": _CommandEntry("minreg.commands.import_", "Fill a tree from image archives."),
    "list": _CommandEntry("minreg.commands.list", "Say what a tree holds."),
    "verify": _CommandEntry(
        "minreg.commands.verify", "Check that a tree is complete and undamaged."
    ),
    "preflight": _CommandEntry(
        "minreg.commands.preflight", "Check that all is there before an upgrade."
    ),
    "prune": _CommandEntry("minreg.commands.prune", "Remove from a tree what no tag reaches."),
    "serve": _CommandEntry("minreg.commands.serve", "Serve a registry tree in the foreground."),
    "node": _CommandEntry("minreg.commands.node", "Make minreg a service of a K3s node."),
    "doctor": _CommandEntry(
        "minreg.commands.doctor", "Find what keeps K3s on this node from its images."
    ),
    "registries": _CommandEntry(
        "minreg.commands.registries", "Write the registries.yaml that has K3s pull from minreg."
    ),
    "missing": _CommandEntry("minreg.commands.missing", "Print what clients asked for in vain."),
    "sample": _CommandEntry(
        "minreg.commands.sample", "Write a small tree with an image that runs."
    ),
}


_EXTRAS: Mapping[str, str] = {
    **dict.fromkeys(("urllib3", "rich", "zstandard"), "fill"),
    "yaml": "node",
    "cryptography": "node",
}
"""What only some commands need, by the extra that brings it."""


class _LibraryMissing(click.ClickException):
    """A library is not there: nothing was done, and nothing is known of what was asked."""

    exit_code = 2


class _Commands(click.Group):
    """The commands of the table, not imported before they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's name
        """Name the commands."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        try:
            module = importlib.import_module(_COMMANDS[cmd_name].module)
        except ModuleNotFoundError as error:
            extra = _EXTRAS.get((error.name or "").partition(".")[0])
            if extra is None:
                raise
            raise _LibraryMissing(
                f"minreg {cmd_name} needs {error.name}: pip install 'minreg[{extra}]'"
            ) from None
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's name
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in _COMMANDS.items()])


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A read-only OCI registry for air-gapped K3s systems: fill a tree, carry it, serve it.",
    epilog="'minreg COMMAND --help' says more about a command.",
)
@click.version_option(__version__, prog_name="minreg", message="%(prog)s %(version)s")
def cli() -> None:
    """Collect the commands."""


def main() -> None:
    """Run the command that the command line names, and exit with its status."""
    cli(prog_name="minreg")
