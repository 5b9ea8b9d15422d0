"""What ``twistd -n minreg`` runs: from the command line to a service."""

import os
import sys
from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import ClassVar, TextIO

from twisted.logger import FileLogObserver
from twisted.python.logfile import LogFile
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from minreg import __version__
from minreg.daemon.activation import (
    PassedSocket,
    choose_sockets,
    find_passed,
    is_passed,
)
from minreg.daemon.assembly import make_service
from minreg.daemon.service import RegistryService, complain, leave, leave_unseen
from minreg.log import is_journal, make_observer
from minreg.settings import (
    DEFAULT_ALIAS,
    DEFAULT_INTERFACE,
    DEFAULT_PORT,
    Endpoint,
    SettingInvalid,
    Settings,
    check_awaited_root,
    check_directory,
    check_root,
    parse_alias,
    parse_log_format,
    parse_workers,
    tcp_endpoint,
)


class Options(UsageOptions):
    """The daemon's command line."""

    longdesc = (
        "Serves the registry tree below a directory, read-only, to any OCI client. "
        "Endpoints for --listen are written as in unix:/run/minreg.sock, "
        "systemd (all sockets that it passes) or ssl:9443:privateKey=key.pem:certKey=cert.pem"
    )

    optParameters: ClassVar = [
        ["root", "r", None, "The directory that holds the registry tree."],
        ["port", "p", None, f"The TCP port to listen on.  [default: {DEFAULT_PORT}]"],
        [
            "interface",
            "i",
            None,
            f"The IP address to listen on.  [default: {DEFAULT_INTERFACE}]",
        ],
        ["log-format", None, "text", "How to log: text or json."],
        ["workers", None, "1", "How many processes serve: a number, or auto."],
        ["status-listen", None, None, "An endpoint for status, instead of the registry's own."],
    ]
    optFlags: ClassVar = [
        ["no-page", None, "Have no page for people."],
        ["wait-for-root", None, "Answer 503 while the root is not there yet, or empty."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.settings: Settings
        self["listen"] = []
        self["registry-alias"] = [DEFAULT_ALIAS]
        self["allow-links-to"] = []

    def opt_listen(self, endpoint: str) -> None:
        """A Twisted endpoint to listen on, instead of port and interface. Repeatable."""
        self["listen"].append(endpoint)

    def opt_registry_alias(self, alias: str) -> None:
        """NAME=HOST: what is asked of registry NAME is that of HOST. Repeatable."""
        self["registry-alias"].append(alias)

    def opt_allow_links_to(self, directory: str) -> None:
        """A directory outside of the root that links in the tree may lead to. Repeatable."""
        self["allow-links-to"].append(directory)

    def opt_version(self) -> None:
        """Show the version and exit."""
        print(f"minreg {__version__}")  # noqa: T201 - as Twisted's own
        raise SystemExit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Read the command line; what is wrong with it is said in one line."""
        try:
            super().parseOptions(options)
            self.settings = self._check()
        except (UsageError, SettingInvalid) as error:
            complain(f"{error} (--help lists all options)")
            raise SystemExit(2) from None
        self._tell_twist()

    def _check(self) -> Settings:
        port, interface = self["port"], self["interface"]
        awaits = bool(self["wait-for-root"])
        if self["listen"] and (port, interface) != (None, None):
            raise SettingInvalid("--listen takes the place of --port and --interface: drop these")
        wanted = [*self["listen"], self["status-listen"] or ""]
        passed = find_passed() if any(map(is_passed, wanted)) else []
        status, sockets = find_status(self["status-listen"], passed)
        listen = [find_endpoints("--listen", text, sockets) for text in self["listen"]]
        return Settings(
            root=(check_awaited_root if awaits else check_root)(self["root"]),
            listen=tuple(chain.from_iterable(listen)) or (tcp_endpoint(port, interface),),
            log_format=parse_log_format(self["log-format"]),
            aliases=dict(parse_alias(alias) for alias in self["registry-alias"]),
            allow_links_to=tuple(check_directory(place) for place in self["allow-links-to"]),
            waits_for_root=awaits,
            workers=parse_workers(self["workers"]),
            status_listen=status,
            has_page=not self["no-page"],
        )

    def _tell_twist(self) -> None:
        """``twist`` begins its log without asking the service: tell it our format."""
        parent = getattr(self, "parent", None)
        if parent is not None and "fileLogObserverFactory" in parent:
            parent["fileLogObserverFactory"] = partial(_make_observer, self.settings.log_format)


def _make_observer(log_format: str, stream: TextIO) -> FileLogObserver:
    return make_observer(log_format, stream, for_journal=is_journal(stream, os.environ))


def find_endpoints(option: str, text: str, sockets: Sequence[PassedSocket]) -> list[Endpoint]:
    """Read an endpoint: several, where it means sockets that systemd has passed.

    Raises:
        SettingInvalid: Systemd has passed none of that kind.
    """
    words = f"{option} {text}"
    if not is_passed(text):
        return [Endpoint(words, text)]
    try:
        chosen = choose_sockets(sockets, text)
    except ValueError:
        raise SettingInvalid(
            f"{words} is no endpoint: write it as in systemd, or systemd:name=minreg.socket"
        ) from None
    if not chosen:
        raise SettingInvalid(f"{words}: systemd has passed no such socket: start minreg.socket")
    return [Endpoint(words, text, descriptor=passed.descriptor) for passed in chosen]


def find_status(
    text: str | None, sockets: Sequence[PassedSocket]
) -> tuple[Endpoint | None, Sequence[PassedSocket]]:
    """Read where status is to be, and tell which sockets are left for the registry.

    Raises:
        SettingInvalid: Systemd has passed none of that kind, or several.
    """
    if text is None:
        return None, sockets
    status, *more = find_endpoints("--status-listen", text, sockets)
    if more:
        raise SettingInvalid(f"{status.words} means several sockets: name one, by index=N")
    return status, [passed for passed in sockets if passed.descriptor != status.descriptor]


def makeService(options: Options) -> RegistryService:
    """Build the daemon that ``options`` describe, not yet listening."""
    from twisted.internet import reactor  # noqa: PLC0415 - whoever runs us installs it first

    parent = getattr(options, "parent", None) or {}
    give_up = leave if parent.get("nodaemon", True) else leave_unseen
    try:
        return make_service(options.settings, _open_log(options), reactor, give_up)
    except SettingInvalid as error:
        complain(str(error))
        raise SystemExit(2) from None


def _open_log(options: Options) -> TextIO:
    """Open what ``twistd`` was told to log to, or would log to by itself."""
    parent = getattr(options, "parent", None) or {}
    path = parent.get("logfile")
    if path is None and not parent.get("nodaemon", True):
        path = "twistd.log"
    if path in (None, "-"):
        return sys.stdout
    # Workers write to the same file: none of them may put another one in its place.
    rotates = options.settings.workers == 1
    log_file: TextIO = LogFile.fromFullPath(path, **({} if rotates else {"rotateLength": None}))
    return log_file
