"""``minreg serve``: the daemon in the foreground, without ``twistd`` around it."""

import click
from twisted.logger import globalLogBeginner

from minreg.tap import Options, makeService


class _ServeOptions(Options):
    """The same options, behind another name."""

    synopsis = "Usage: minreg serve [options]"


@click.command(
    "serve",
    context_settings={"ignore_unknown_options": True},
    add_help_option=False,
    help="Serve a registry tree in the foreground.",
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
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
