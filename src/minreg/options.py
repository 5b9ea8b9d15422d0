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

_PREFIX = "MINREG_"
# Variables that are not those of an option: of the commands that ask a registry, and of the unit.
_OTHER_VARIABLES = ("MINREG_URL", "MINREG_OPTIONS")


def find_misspelled(environment: Mapping[str, str]) -> list[str]:
    """Return a warning for each environment variable that is almost one of minreg.

    Others that begin with ``MINREG_`` are left alone: Kubernetes sets some for a service of the
    name minreg. Empty variables have no effect anyway.
    """
    known = [*(option.variable for option in DAEMON_OPTIONS), *_OTHER_VARIABLES]
    unknown = [
        name
        for name, value in environment.items()
        if name.startswith(_PREFIX) and name.isprintable() and value and name not in known
    ]
    if not unknown:
        return []
    from difflib import get_close_matches  # noqa: PLC0415 - rarely needed

    words = [name.removeprefix(_PREFIX) for name in known]
    warnings = []
    for name in sorted(unknown):
        near = get_close_matches(name.removeprefix(_PREFIX), words, n=1)
        if near:
            warnings.append(
                f"{name} is not a variable of minreg, and has no effect: did you mean "
                f"{_PREFIX}{near[0]}?"
            )
    return warnings


LONG_DESCRIPTION = (
    "Serves the registry tree in a directory, read-only, to any OCI client. "
    "Endpoints for --listen are, for example, unix:/run/minreg.sock, "
    "systemd (all sockets that it passes) or ssl:9443:privateKey=key.pem:certKey=cert.pem. "
    "Each option is also an environment variable, such as MINREG_ROOT or MINREG_LOG_FORMAT; "
    "the command line takes precedence."
)
