"""``minreg serve``: the daemon in the foreground, without ``twistd`` around it."""

import click
from click.shell_completion import CompletionItem
from twisted.logger import globalLogBeginner

from minreg.log import LOG_FORMATS
from minreg.tap import Options, makeService


class _ServeOptions(Options):
    """The same options, behind another name."""

    synopsis = "Usage: minreg serve [options]"


_DIRECTORIES = frozenset({"--root", "-r", "--allow-links-to"})
_VALUES = {
    "--log-format": LOG_FORMATS,
    "--workers": ("auto",),
}
"""What the shell completes behind an option; behind others that take a value, nothing."""


class _ServeCommand(click.Command):
    """The command, whose options are those of the daemon: click does not know them."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's name
        """Complete the name of an option."""
        options = _ServeOptions()
        names = (name.rstrip("=") for name in options.longOpt)
        return [
            CompletionItem(f"--{name}", help=" ".join(options.docs.get(name, "").split()))
            for name in sorted(names)
            if f"--{name}".startswith(incomplete)
        ]


def _complete_value(
    ctx: click.Context,
    _param: click.Parameter,
    incomplete: str,
) -> list[CompletionItem]:
    """Complete the value of the option that is the last word so far."""
    words = ctx.params.get("options") or ("",)
    if words[-1] in _DIRECTORIES:
        return [CompletionItem(incomplete, type="dir")]
    values = _VALUES.get(words[-1], ())
    return [CompletionItem(value) for value in values if value.startswith(incomplete)]


@click.command(
    "serve",
    cls=_ServeCommand,
    context_settings={"ignore_unknown_options": True},
    add_help_option=False,
    help="Serve a registry tree in the foreground.",
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED, shell_complete=_complete_value)
def command(options: tuple[str, ...]) -> None:
    """Serve until told to stop. The options are those of ``twistd -n minreg``."""
    from twisted.internet import reactor  # noqa: PLC0415 - only who serves needs one

    parsed = _ServeOptions()
    parsed.parseOptions(options)
    daemon = makeService(parsed)
    globalLogBeginner.beginLoggingTo([daemon.observer], redirectStandardIO=False)
    daemon.privilegedStartService()
    daemon.startService()
    reactor.addSystemEventTrigger("before", "shutdown", daemon.stopService)
    reactor.run()
