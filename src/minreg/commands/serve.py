"""``minreg serve``: the daemon in the foreground, without ``twistd`` around it."""

from collections.abc import Sequence

from twisted.logger import globalLogBeginner

from minreg.tap import Options, makeService


class _ServeOptions(Options):
    """The same options, behind another name."""

    synopsis = "Usage: minreg serve [options]"


def run(words: Sequence[str]) -> None:
    """Serve until told to stop.

    Args:
        words: The command line, as ``twistd -n minreg`` takes it.
    """
    from twisted.internet import reactor  # noqa: PLC0415 - only who serves needs one

    parsed = _ServeOptions()
    parsed.parseOptions(words)
    daemon = makeService(parsed)
    globalLogBeginner.beginLoggingTo([daemon.observer], redirectStandardIO=False)
    daemon.privilegedStartService()
    daemon.startService()
    reactor.addSystemEventTrigger("before", "shutdown", daemon.stopService)
    reactor.run()
