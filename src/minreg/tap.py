"""The plugin of ``twistd`` and ``twist``: parses the options, and makes the service."""

import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, ClassVar, TextIO, TypeVar

import attrs
from twisted.logger import FileLogObserver
from twisted.python.logfile import LogFile
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from minreg import __version__
from minreg.daemon.lazy_imports import leave_out_tls
from minreg.daemon.sockets import PassedSocket, choose_sockets, find_passed, is_passed
from minreg.defaults import DEFAULT_ALIAS
from minreg.log import is_journal, make_observer
from minreg.options import DAEMON_OPTIONS, LONG_DESCRIPTION, DaemonOption, find_misspelled
from minreg.settings import (
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

if TYPE_CHECKING:
    from minreg.daemon.service import RegistryService

_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})
_UNKNOWN_OPTION = re.compile(r"option --(\S+) not recognized")

_Value = TypeVar("_Value")


class Options(UsageOptions):
    """The daemon's options, from the command line and from environment variables.

    An option on the command line overrides its variable.

    Attributes:
        settings: The settings, once ``parseOptions`` was called.
        environment: The environment variables.
    """

    longdesc = LONG_DESCRIPTION

    optParameters: ClassVar = [
        [option.name, option.short or None, None, option.summary]
        for option in DAEMON_OPTIONS
        if not (option.is_flag or option.is_repeatable)
    ]
    optFlags: ClassVar = [
        [option.name, None, option.help] for option in DAEMON_OPTIONS if option.is_flag
    ]

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.settings: Settings
        self.environment = os.environ if environment is None else environment
        self["listen"] = []
        self["registry-alias"] = []
        self["allow-links-to"] = []

    def opt_listen(self, endpoint: str) -> None:
        """A Twisted endpoint to listen on, instead of --port and --interface. Repeatable."""
        self["listen"].append(endpoint)

    def opt_registry_alias(self, alias: str) -> None:
        """NAME=HOST: serve the images of HOST also under the registry name NAME. Repeatable."""
        self["registry-alias"].append(alias)

    def opt_allow_links_to(self, directory: str) -> None:
        """A directory outside the root that links in the tree may point to. Repeatable."""
        self["allow-links-to"].append(directory)

    def opt_version(self) -> None:
        """Show the version and exit."""
        print(f"minreg {__version__}")  # noqa: T201 - as Twisted's own
        raise SystemExit(0)

    def parseArgs(self, *arguments: str) -> None:
        """Refuse arguments that belong to no option.

        Raises:
            SettingInvalid: There are any.
        """
        if arguments:
            word = arguments[0]
            raise SettingInvalid(
                f"{word!r} belongs to no option: name the tree with --root {word}"
            )

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the command line. An error is printed as one line."""
        for warning in find_misspelled(self.environment):
            from minreg.daemon.service import print_error  # noqa: PLC0415 - see below

            print_error(f"warning: {warning}")
        try:
            super().parseOptions(options)
            self.settings = self._check()
        except (UsageError, SettingInvalid) as error:
            from minreg.daemon.service import print_error  # noqa: PLC0415 - see below

            print_error(f"{_with_suggestion(str(error))} (--help lists all options)")
            raise SystemExit(2) from None
        status = self.settings.status_listen
        endpoints = [*self.settings.listen, *([] if status is None else [status])]
        leave_out_tls(endpoint.description for endpoint in endpoints)
        self._set_log_format_of_twist()

    def _check(self) -> Settings:
        given = {option.name: self._find(option) for option in DAEMON_OPTIONS}
        self._choose_listen(given)
        waits_for_root = bool(given["wait-for-root"].values)
        listen, status = given["listen"], given["status-listen"]
        passed = find_passed() if any(map(is_passed, (*listen.values, *status.values))) else []
        status_endpoint, sockets = find_status(status.last, passed, status.name)
        endpoints = [find_endpoints(listen.name, text, sockets) for text in listen.values]
        return Settings(
            root=given["root"].parse(check_later_root if waits_for_root else check_root),
            listen=tuple(chain.from_iterable(endpoints)) or (_tcp_endpoint(given),),
            log_format=given["log-format"].parse(lambda text: parse_log_format(text or "text")),
            aliases=dict(
                [parse_alias(DEFAULT_ALIAS), *given["registry-alias"].parse_all(parse_alias)]
            ),
            allow_links_to=tuple(given["allow-links-to"].parse_all(check_directory)),
            waits_for_root=waits_for_root,
            workers=given["workers"].parse(lambda text: parse_workers(text or "1")),
            status_listen=status_endpoint,
            has_page=not given["no-page"].values,
        )

    def _find(self, option: DaemonOption) -> "_OptionValue":
        """Return the value of an option on the command line, or else of its variable.

        Raises:
            SettingInvalid: The variable has a value that the option cannot have.
        """
        value = self[option.name]
        text = self.environment.get(option.variable, "")
        if value or not text:
            values = value if isinstance(value, list) else [] if value in (None, 0) else [value]
            return _OptionValue(f"--{option.name}", option.name, tuple(map(str, values)))
        values = [text]
        if option.is_repeatable:
            try:
                values = shlex.split(text)
            except ValueError as error:
                raise SettingInvalid(
                    f"{option.variable} cannot be split into values ({error}): separate them by "
                    "spaces, and quote as in a shell"
                ) from None
        elif option.is_flag:
            values = ["yes"] if _parse_flag(option.variable, text) else []
        return _OptionValue(option.variable, option.name, tuple(values))

    def _choose_listen(self, given: dict[str, "_OptionValue"]) -> None:
        """Keep either ``--listen``, or port and interface: those of the command line.

        Raises:
            SettingInvalid: The command line has both, or only the environment, and it has both.
        """
        listen, tcp = given["listen"], (given["port"], given["interface"])
        if not listen.values or not any(option.values for option in tcp):
            return
        if listen.is_variable and not all(option.is_variable for option in tcp if option.values):
            given["listen"] = attrs.evolve(listen, values=())
        elif not listen.is_variable and all(option.is_variable for option in tcp if option.values):
            for option in tcp:
                given[option.option] = attrs.evolve(option, values=())
        else:
            names = " and ".join(option.name for option in tcp if option.values)
            raise SettingInvalid(
                f"{listen.name} cannot be used together with {names}: remove {names}"
            )

    def _set_log_format_of_twist(self) -> None:
        """Set the log format of ``twist``, which starts its log before it makes the service."""
        parent = getattr(self, "parent", None)
        if parent is not None and "fileLogObserverFactory" in parent:
            parent["fileLogObserverFactory"] = partial(_make_observer, self.settings.log_format)


def _make_observer(log_format: str, stream: TextIO) -> FileLogObserver:
    return make_observer(log_format, stream, for_journal=is_journal(stream, os.environ))


@attrs.frozen
class _OptionValue:
    """The value of an option.

    Attributes:
        name: The option with its dashes, or the variable, that has the value.
        option: The option, without its dashes.
        values: All values, in order; empty if neither the option nor the variable is used.
    """

    name: str
    option: str
    values: tuple[str, ...]

    @property
    def is_variable(self) -> bool:
        """Whether the value is that of the variable."""
        return not self.name.startswith("-")

    @property
    def last(self) -> str | None:
        """The last value; None if there is none."""
        return self.values[-1] if self.values else None

    def parse(self, parse: Callable[[str | None], _Value]) -> _Value:
        """Parse the last value.

        Raises:
            SettingInvalid: It is invalid; the message begins with ``name``.
        """
        try:
            return parse(self.last)
        except SettingInvalid as error:
            raise self._renamed(error) from None

    def parse_all(self, parse: Callable[[str], _Value]) -> list[_Value]:
        """Parse each value of a repeatable option; raises as ``parse`` does."""
        try:
            return [parse(value) for value in self.values]
        except SettingInvalid as error:
            raise self._renamed(error) from None

    def _renamed(self, error: SettingInvalid) -> SettingInvalid:
        """Replace the option in the message of an error by the variable, if that has the value."""
        return SettingInvalid(str(error).replace(f"--{self.option} ", f"{self.name} ", 1))


def _tcp_endpoint(given: Mapping[str, _OptionValue]) -> ListenEndpoint:
    """Return the endpoint of a port and an interface; its words name their variables if used."""
    port, interface = given["port"], given["interface"]
    # Each is parsed separately, so that an error names the option or variable.
    port.parse(lambda text: tcp_endpoint(text, None))
    endpoint = interface.parse(lambda text: tcp_endpoint(port.last, text))
    words = endpoint.words
    for option in (port, interface):
        words = words.replace(f"--{option.option} ", f"{option.name} ")
    return attrs.evolve(endpoint, words=words)


def _parse_flag(variable: str, text: str) -> bool:
    """Parse the variable of a flag.

    Raises:
        SettingInvalid: It is neither 1 nor 0, nor another word for yes or no.
    """
    word = text.strip().lower()
    if word not in {*_YES, *_NO}:
        raise SettingInvalid(f"{variable} {text[:80]!r} is neither 1 nor 0: use one of these")
    return word in _YES


def _with_suggestion(message: str) -> str:
    """Add the option that was probably meant to Twisted's error for an unknown option."""
    unknown = _UNKNOWN_OPTION.match(message)
    if unknown is None:
        return message
    near = get_close_matches(unknown[1], [option.name for option in DAEMON_OPTIONS], n=1)
    return f"{message}: did you mean --{near[0]}?" if near else message


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
    text: str | None, sockets: Sequence[PassedSocket], name: str = "--status-listen"
) -> tuple[ListenEndpoint | None, Sequence[PassedSocket]]:
    """Parse the endpoint of the status, and return it with the sockets left for the registry.

    Raises:
        SettingInvalid: It is malformed, or systemd has passed no such socket, or several.
    """
    if text is None:
        return None, sockets
    status, *more = find_endpoints(name, text, sockets)
    if more:
        raise SettingInvalid(f"{status.words} means several sockets: choose one with index=N")
    return status, [passed for passed in sockets if passed.descriptor != status.descriptor]


def makeService(options: Options) -> "RegistryService":
    """Return the daemon that ``options`` describe, not yet listening (Twisted calls this)."""
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

    # These import Twisted's networking, so they come after ``leave_out_tls``.
    from minreg.daemon.assembly import make_service  # noqa: PLC0415
    from minreg.daemon.service import exit_with_error, exit_with_logged_error, print_error  # noqa: PLC0415

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
