"""``minreg serve``: the daemon in the foreground, without ``twistd`` around it."""

from collections.abc import Sequence

from twisted.logger import globalLogBeginner

from minreg.tap import Options, makeService


class _ServeOptions(Options):
    """The options of ``twistd minreg``, with another usage line."""

    synopsis = "Usage: minreg serve [options]"


def run(arguments: Sequence[str]) -> None:
    """Serve until a signal stops the reactor.

    Args:
        arguments: The options, as for ``twistd -n minreg``.
    """
    options = _ServeOptions()
    options.parseOptions(arguments)
    # Not before the options say whether TLS is needed: it loads the libraries for TLS.
    from twisted.internet import reactor  # noqa: PLC0415 - see above

    daemon = makeService(options)
    globalLogBeginner.beginLoggingTo([daemon.observer], redirectStandardIO=False)
    daemon.privilegedStartService()
    daemon.startService()
    reactor.addSystemEventTrigger("before", "shutdown", daemon.stopService)
    reactor.run()
