"""The ``minreg`` command line: commands, their options, and their help.

A module of this package has the options of a command, and imports only click. What the command
does is in ``minreg.commands``, and imported when the command is run. So ``--help`` is fast, and
works even if a library is missing.

Exit status: 0 success, 1 failure (with one line on standard error), 2 invalid usage.
"""

import errno
import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from minreg import __version__
from minreg.commands.groups import SuggestingGroup, add_directory_hint

_OUTPUT_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Errors of writing to a file or device that standard output was redirected to."""


class _CommandEntry(NamedTuple):
    """The module that has a command as ``command``, and the line about it in ``minreg --help``."""

    module: str
    summary: str


# The modules of ``list`` and ``import`` end with an underscore: these are names of Python itself.
_COMMANDS: Mapping[str, _CommandEntry] = {
    "download": _CommandEntry("minreg.cli.download", "Fill a tree from upstream registries."),
    "import": _CommandEntry("minreg.cli.import_", "Fill a tree from image archives."),
    "list": _CommandEntry("minreg.cli.list_", "List the images of a tree."),
    "verify": _CommandEntry("minreg.cli.verify", "Check that a tree is complete and not corrupt."),
    "status": _CommandEntry("minreg.cli.status", "Show whether a registry is running and ready."),
    "preflight": _CommandEntry(
        "minreg.cli.preflight", "Check that a tree has all images that nodes will pull."
    ),
    "images": _CommandEntry(
        "minreg.cli.images", "List the images that Kubernetes manifests name."
    ),
    "prune": _CommandEntry("minreg.cli.prune", "Remove what is not reachable from any tag."),
    "serve": _CommandEntry("minreg.cli.serve", "Serve a registry tree in the foreground."),
    "node": _CommandEntry("minreg.cli.node", "Install minreg as a service of a K3s node."),
    "doctor": _CommandEntry(
        "minreg.cli.doctor", "Find what keeps K3s on this node from pulling images."
    ),
    "registries": _CommandEntry(
        "minreg.cli.registries", "Write the registries.yaml with which K3s pulls from minreg."
    ),
    "missing": _CommandEntry("minreg.cli.missing", "List the images that clients did not get."),
    "sample": _CommandEntry("minreg.cli.sample", "Write a small tree to try minreg with."),
}


class _Commands(SuggestingGroup):
    """The commands of the table, which are imported only when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's name
        """Return the names of the commands."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(_COMMANDS[cmd_name].module)
        command: click.Command = module.command
        return command

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command that the arguments name, with errors in colour on terminals."""
        run: Any = super().main
        if not extra.pop("standalone_mode", True):
            return run(*args, **extra, standalone_mode=False)
        try:
            status = run(*args, **extra, standalone_mode=False)
        except click.ClickException as error:
            from minreg.commands.terminal import show_exception

            show_exception(add_directory_hint(error))
            sys.exit(error.exit_code)
        except OSError as error:
            # Errors about a named file are reported by the command itself.
            if error.filename is not None or error.errno not in _OUTPUT_ERRORS:
                raise
            from minreg.commands.terminal import discard_output, echo_error

            discard_output()
            echo_error(
                f"cannot write the output: {error.strerror}: "
                "free some space, or write it elsewhere"
            )
            sys.exit(1)
        except click.Abort:
            click.echo("Aborted!", err=True)
            sys.exit(1)
        sys.exit(status if isinstance(status, int) else 0)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command without importing it; options are completed by click."""
        commands = [
            CompletionItem(name, help=entry.summary)
            for name, entry in _COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's name
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in _COMMANDS.items()])


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A read-only OCI registry for air-gapped K3s and RKE2: fill a tree, copy it, serve it.",
    epilog="'minreg COMMAND --help' describes a command. NO_COLOR=1 turns colours off.",
)
@click.version_option(__version__, prog_name="minreg", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Warn of misspelled environment variables; ``serve`` does so itself, as ``twistd`` does."""
    from minreg.options import find_misspelled

    warnings = find_misspelled(os.environ) if ctx.invoked_subcommand != "serve" else []
    for warning in warnings:
        from minreg.commands.terminal import Style, colorize, echo

        echo(f"{colorize('warning:', Style.WARNING)} {warning}", err=True)


def main() -> None:
    """Run the command line, and exit with its status."""
    cli(prog_name="minreg")
