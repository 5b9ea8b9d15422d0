"""The options of ``minreg serve``: those of ``twistd minreg``."""

from collections.abc import Callable
from functools import partial
from typing import Any

import click
from click.shell_completion import CompletionItem

from minreg import __version__
from minreg.options import DAEMON_OPTIONS, LONG_DESCRIPTION, DaemonOption


def _daemon_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options of the daemon to a command."""
    for option in reversed(DAEMON_OPTIONS):
        names = [f"-{option.short}"] if option.short else []
        add = click.option(
            *names,
            f"--{option.name}",
            is_flag=option.is_flag,
            multiple=option.is_repeatable,
            metavar=option.metavar or None,
            help=option.summary,
            shell_complete=partial(_complete_value, option),
        )
        function = add(function)
    return function


def _complete_value(
    option: DaemonOption, _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the value of an option, if it is a directory or one of a few values."""
    if option.metavar == "DIR":
        return [CompletionItem(incomplete, type="dir")]
    return [CompletionItem(value) for value in option.values if value.startswith(incomplete)]


@click.command("serve", help=f"Serve a registry tree in the foreground. {LONG_DESCRIPTION}")
@_daemon_options
@click.version_option(__version__, prog_name="minreg", message="%(prog)s %(version)s")
@click.argument("arguments", nargs=-1, metavar="", type=click.UNPROCESSED)
def command(arguments: tuple[str, ...], **options: Any) -> None:
    """Serve until a signal stops it."""
    from minreg.daemon.lazy_imports import defer_imports

    # Before Twisted is imported.
    defer_imports()
    from minreg.commands.serve import run

    words: list[str] = []
    for option in DAEMON_OPTIONS:
        value = options[option.name.replace("-", "_")]
        if option.is_flag:
            words += [f"--{option.name}"] if value else []
        else:
            values = value if option.is_repeatable else [value]
            words += [f"--{option.name}={item}" for item in values if item is not None]
    run([*words, "--", *arguments])
