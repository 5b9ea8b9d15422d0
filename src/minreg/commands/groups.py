"""Groups of commands, which suggest similar commands and report a missing library."""

from difflib import get_close_matches
from typing import Any

import click

from minreg.program import reinstall_hint


class LibraryMissing(click.ClickException):
    """A library is not installed: exit status 2."""

    exit_code = 2


def add_directory_hint(error: click.ClickException) -> click.ClickException:
    """Return an error that says how to name the tree, if it was named without its option.

    Any other error is returned unchanged.
    """
    if (
        isinstance(error, click.UsageError)
        and error.ctx is not None
        and error.message.startswith("Got unexpected extra argument")
        and any(parameter.name == "directory" for parameter in error.ctx.command.params)
    ):
        return click.UsageError(f"{error.message}: name the tree with --directory", error.ctx)
    return error


class SuggestingGroup(click.Group):
    """A group that suggests a similar command for an unknown one.

    If a command needs a library that is not installed, the error is one line.
    """

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the command line names.

        Raises:
            UsageError: There is no such command.
        """
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            near = get_close_matches(name, self.list_commands(ctx), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {name!r}.{hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Raises:
            LibraryMissing: It needs a library that is not installed.
        """
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            library = (error.name or "").partition(".")[0]
            if library in {"", "minreg"}:
                raise
            name = f"{ctx.command_path} {ctx.invoked_subcommand or ''}".strip()
            raise LibraryMissing(
                f"{name} needs {error.name}, which is not installed: {reinstall_hint()}"
            ) from None
