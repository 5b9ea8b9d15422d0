"""The daemon's options: one table for ``twistd minreg``, ``minreg serve`` and the environment.

This module imports nothing but the defaults, so that ``--help`` works whatever library is
missing.
"""

from collections.abc import Mapping
from typing import NamedTuple

from minreg.defaults import DEFAULT_INTERFACE, DEFAULT_PORT


class DaemonOption(NamedTuple):
    """One option: a text, a flag, or a text that may be given several times.

    ``default`` is what the help says; the value is None where nobody gave one. ``values`` are
    those that a shell completes.
    """

    name: str
    help: str
    metavar: str = ""
    short: str = ""
    default: str = ""
    is_flag: bool = False
    is_repeatable: bool = False
    values: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """The environment variable that gives the same."""
        return f"MINREG_{self.name.upper().replace('-', '_')}"

    @property
    def summary(self) -> str:
        """The help with the default."""
        return f"{self.help}  [default: {self.default}]" if self.default else self.help


DAEMON_OPTIONS = (
    DaemonOption("root", "The directory that holds the registry tree.", "DIR", "r"),
    DaemonOption("port", "The TCP port to listen on.", "PORT", "p", str(DEFAULT_PORT)),
    DaemonOption("interface", "The IP address to listen on.", "ADDRESS", "i", DEFAULT_INTERFACE),
    DaemonOption(
        "listen",
        "A Twisted endpoint to listen on, instead of port and interface. Repeatable.",
        "ENDPOINT",
        is_repeatable=True,
    ),
    DaemonOption(
        "log-format",
        "How to log: text or json.",
        "FORMAT",
        default="text",
        values=("text", "json"),
    ),
    DaemonOption(
        "registry-alias",
        "NAME=HOST: what is asked of registry NAME is that of HOST. Repeatable.",
        "NAME=HOST",
        is_repeatable=True,
    ),
    DaemonOption(
        "allow-links-to",
        "A directory outside of the root that links in the tree may lead to. Repeatable.",
        "DIR",
        is_repeatable=True,
    ),
    DaemonOption(
        "workers",
        "How many processes serve: a number, or auto.",
        "NUMBER",
        default="1",
        values=("auto",),
    ),
    DaemonOption(
        "status-listen", "An endpoint for status, instead of the registry's own.", "ENDPOINT"
    ),
    DaemonOption("no-page", "Have no page for people.", is_flag=True),
    DaemonOption(
        "wait-for-root", "Answer 503 while the root is not there yet, or empty.", is_flag=True
    ),
)

OPTIONS_BY_NAME: Mapping[str, DaemonOption] = {option.name: option for option in DAEMON_OPTIONS}

LONG_DESCRIPTION = (
    "Serves the registry tree below a directory, read-only, to any OCI client. "
    "Endpoints for --listen are written as in unix:/run/minreg.sock, "
    "systemd (all sockets that it passes) or ssl:9443:privateKey=key.pem:certKey=cert.pem. "
    "Each option can be given as an environment variable as well: MINREG_ROOT, MINREG_LOG_FORMAT "
    "and so on; the command line wins."
)
