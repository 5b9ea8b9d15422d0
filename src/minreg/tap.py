"""The plugin of ``twistd`` and ``twist``: from the command line to the service."""

import sys
from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import ClassVar, TextIO

from twisted.python.logfile import LogFile
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from minreg import __version__
from minreg.daemon.assembly import make_service
from minreg.daemon.service import (
    RegistryService,
    exit_with_error,
    exit_with_logged_error,
    print_error,
)
from minreg.daemon.sockets import PassedSocket, choose_sockets, find_passed, is_passed
from minreg.log import make_observer
from minreg.settings import (
    DEFAULT_ALIAS,
    DEFAULT_INTERFACE,
    DEFAULT_PORT,
    ListenEndpoint,
    SettingInvalid,
    Settings,
    check_directory,
    check_later_root,
    check_root,
    parse_alias,
    parse_log_format,
    parse_workers,
    tcp_endpoint,
)


class Options(UsageOptions):
    """The daemon's command line."""

    longdesc = (
        "Serves a registry tree, read-only, to any OCI client. "
        "Endpoints for --listen are written as in unix:/run/minreg.sock, "
        "systemd (all sockets that it passes) or ssl:9443:privateKey=key.pem:certKey=cert.pem"
    )

    optParameters: ClassVar = [
        ["root", "r", None, "The root directory of the registry tree."],
        ["port", "p", None, f"The TCP port to listen on.  [default: {DEFAULT_PORT}]"],
        [
            "interface",
            "i",
            None,
            f"The IP address to listen on.  [default: {DEFAULT_INTERFACE}]",
        ],
        ["log-format", None, "text", "The format of the log: text or json."],
        ["workers", None, "1", "The number of processes: a number, or auto."],
        ["status-listen", None, None, "A separate endpoint for status and metrics."],
    ]
    optFlags: ClassVar = [
        ["no-page", None, "Serve no pages for browsers."],
        ["wait-for-root", None, "Answer 503 while the root does not exist or is empty."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.settings: Settings
        self["listen"] = []
        self["registry-alias"] = [DEFAULT_ALIAS]
        self["allow-links-to"] = []

    def opt_listen(self, endpoint: str) -> None:
        """A Twisted endpoint to listen on, instead of --port and --interface. Repeatable."""
        self["listen"].append(endpoint)

    def opt_registry_alias(self, alias: str) -> None:
        """NAME=HOST: serve the images of HOST also under the registry name NAME. Repeatable."""
        self["registry-alias"].append(alias)

    def opt_allow_links_to(self, directory: str) -> None:
        """A directory outside of the root that links in the tree may lead to. Repeatable."""
        self["allow-links-to"].append(directory)

    def opt_version(self) -> None:
        """Show the version and exit."""
        print(f"minreg {__version__}")  # noqa: T201 - as Twisted's own
        raise SystemExit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the command line. An error is printed as one line."""
        try:
            super().parseOptions(options)
            self.settings = self._check()
        except (UsageError, SettingInvalid) as error:
            print_error(f"{error} (--help lists all options)")
            raise SystemExit(2) from None
        self._set_twist_log()

    def _check(self) -> Settings:
        port, interface = self["port"], self["interface"]
        waits = bool(self["wait-for-root"])
        if self["listen"] and (port, interface) != (None, None):
            raise SettingInvalid("--listen replaces --port and --interface: give only one of them")
        endpoints = [*self["listen"], self["status-listen"] or ""]
        passed = find_passed() if any(map(is_passed, endpoints)) else []
        status, sockets = find_status(self["status-listen"], passed)
        listen = [find_endpoints("--listen", text, sockets) for text in self["listen"]]
        return Settings(
            root=(check_later_root if waits else check_root)(self["root"]),
            listen=tuple(chain.from_iterable(listen)) or (tcp_endpoint(port, interface),),
            log_format=parse_log_format(self["log-format"]),
            aliases=dict(parse_alias(alias) for alias in self["registry-alias"]),
            allow_links_to=tuple(check_directory(path) for path in self["allow-links-to"]),
            waits_for_root=waits,
            workers=parse_workers(self["workers"]),
            status_listen=status,
            has_page=not self["no-page"],
        )

    def _set_twist_log(self) -> None:
        """Set the log format of ``twist``, which does not take it from the service."""
        parent = getattr(self, "parent", None)
        if parent is not None and "fileLogObserverFactory" in parent:
            parent["fileLogObserverFactory"] = partial(make_observer, self.settings.log_format)


def find_endpoints(
    option: str, text: str, sockets: Sequence[PassedSocket]
) -> list[ListenEndpoint]:
    """Parse an endpoint. It may mean several sockets that systemd has passed.

    Args:
        option: The option that it is the value of.
        text: The endpoint.
        sockets: The sockets that systemd has passed.

    Raises:
        SettingInvalid: It is malformed, or systemd has passed no such socket.
    """
    words = f"{option} {text}"
    if not is_passed(text):
        return [ListenEndpoint(words, text)]
    try:
        chosen = choose_sockets(sockets, text)
    except ValueError:
        raise SettingInvalid(
            f"{words} is not an endpoint: write it as in systemd, or systemd:name=minreg.socket"
        ) from None
    if not chosen:
        raise SettingInvalid(f"{words}: systemd has passed no such socket: start minreg.socket")
    return [ListenEndpoint(words, text, descriptor=passed.descriptor) for passed in chosen]


def find_status(
    text: str | None, sockets: Sequence[PassedSocket]
) -> tuple[ListenEndpoint | None, Sequence[PassedSocket]]:
    """Parse the endpoint of the status, and return it with the sockets left for the registry.

    Raises:
        SettingInvalid: It is malformed, or systemd has passed no such socket, or several.
    """
    if text is None:
        return None, sockets
    status, *more = find_endpoints("--status-listen", text, sockets)
    if more:
        raise SettingInvalid(f"{status.words} means several sockets: choose one with index=N")
    return status, [passed for passed in sockets if passed.descriptor != status.descriptor]


def makeService(options: Options) -> RegistryService:
    """Return the daemon that ``options`` describe, not yet listening (Twisted calls this)."""
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

    parent = getattr(options, "parent", None) or {}
    give_up = exit_with_error if parent.get("nodaemon", True) else exit_with_logged_error
    try:
        return make_service(options.settings, _open_log(options), reactor, give_up)
    except SettingInvalid as error:
        print_error(str(error))
        raise SystemExit(2) from None


def _open_log(options: Options) -> TextIO:
    """Return the log that ``twistd`` was told to write to, or its default."""
    parent = getattr(options, "parent", None) or {}
    path = parent.get("logfile")
    if path is None and not parent.get("nodaemon", True):
        path = "twistd.log"
    if path in (None, "-"):
        return sys.stdout
    # Workers write to the same file, so it must not be rotated by one of the processes.
    rotates = options.settings.workers == 1
    log_file: TextIO = LogFile.fromFullPath(path, **({} if rotates else {"rotateLength": None}))
    return log_file
