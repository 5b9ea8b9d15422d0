"""The daemon's options, for ``twistd minreg``, ``minreg serve`` and environment variables.

This module imports only the defaults, so that ``--help`` works even if a library is missing.
"""

from collections.abc import Mapping
from typing import NamedTuple

from minreg.defaults import DEFAULT_INTERFACE, DEFAULT_PORT


class DaemonOption(NamedTuple):
    """An option: a text, a flag, or a text that can be repeated.

    ``default`` is only for the help: the value of an option that is not used is None. ``values``
    are those that a shell completes.
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
        """The environment variable for the option."""
        return f"MINREG_{self.name.upper().replace('-', '_')}"

    @property
    def summary(self) -> str:
        """The help, with the default."""
        return f"{self.help}  [default: {self.default}]" if self.default else self.help


DAEMON_OPTIONS = (
    DaemonOption("root", "The root directory of the registry tree.", "DIR", "r"),
    DaemonOption("port", "The TCP port to listen on.", "PORT", "p", str(DEFAULT_PORT)),
    DaemonOption("interface", "The IP address to listen on.", "ADDRESS", "i", DEFAULT_INTERFACE),
    DaemonOption(
        "listen",
        "A Twisted endpoint to listen on, instead of --port and --interface. Repeatable.",
        "ENDPOINT",
        is_repeatable=True,
    ),
    DaemonOption(
        "log-format",
        "The format of the log: text or json.",
        "FORMAT",
        default="text",
        values=("text", "json"),
    ),
    DaemonOption(
        "registry-alias",
        "NAME=HOST: serve the images of HOST also under the registry name NAME. Repeatable.",
        "NAME=HOST",
        is_repeatable=True,
    ),
    DaemonOption(
        "allow-links-to",
        "A directory outside the root that links in the tree may point to. Repeatable.",
        "DIR",
        is_repeatable=True,
    ),
    DaemonOption(
        "workers",
        "The number of worker processes, or auto.",
        "NUMBER",
        default="1",
        values=("auto",),
    ),
    DaemonOption(
        "status-listen", "A separate Twisted endpoint for health, status and metrics.", "ENDPOINT"
    ),
    DaemonOption("no-page", "Do not serve the page for browsers.", is_flag=True),
    DaemonOption(
        "wait-for-root",
        "Start without a root, and respond with 503 until it exists and has content.",
        is_flag=True,
    ),
)

OPTIONS_BY_NAME: Mapping[str, DaemonOption] = {option.name: option for option in DAEMON_OPTIONS}

LONG_DESCRIPTION = (
    "Serves the registry tree in a directory, read-only, to any OCI client. "
    "Endpoints for --listen are, for example, unix:/run/minreg.sock, "
    "systemd (all sockets that it passes) or ssl:9443:privateKey=key.pem:certKey=cert.pem. "
    "Each option is also an environment variable, such as MINREG_ROOT or MINREG_LOG_FORMAT; "
    "the command line takes precedence."
)
