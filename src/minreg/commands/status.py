"""``minreg status``: whether a registry is running and ready, and what it serves.

The exit status follows the Linux Standard Base for the ``status`` action of init scripts: 0 if the
registry is running and ready, 3 if it is not running, 4 if that is not known. It is 1 if the
registry is running but not ready.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import click

from minreg.commands.client import RegistryUnreachable, check_url, choose_url, request_status
from minreg.commands.next_steps import own_command
from minreg.commands.terminal import Style, colorize, echo, wrap
from minreg.defaults import ENDPOINT
from minreg.text import count, printable

_NOT_READY = 1
_NOT_RUNNING = 3
_UNKNOWN = 4
_UNIT = "/etc/systemd/system/minreg.service"
_UNIT_OF_TIME = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
_LABEL = 12


def run(*, url: str | None, as_json: bool) -> None:
    """Print the status of the registry.

    Raises:
        SystemExit: It is not running, or not ready, or that is not known.
    """
    url = check_url(url or choose_url(os.environ, is_announced=False))
    try:
        response = request_status(url, "/minreg/status")
    except RegistryUnreachable as error:
        _exit_without_status(url, str(error), as_json=as_json, is_stopped=error.is_stopped)
    document = _parse(response.content)
    if document is None:
        _exit_without_status(
            url,
            _explain(response.status, response.server),
            as_json=as_json,
            is_stopped=False,
        )
    if as_json:
        click.echo(json.dumps({"running": True, "url": url, **document}, indent=2))
    else:
        for line in _describe(document, url):
            echo(line)
    if not document["ready"]:
        sys.exit(_NOT_READY)


def _parse(content: bytes) -> dict[str, Any] | None:
    """Parse the status document; None if it is not minreg's."""
    try:
        document = json.loads(content)
    except ValueError:
        return None
    if not isinstance(document, dict) or not {"version", "ready", "checks"} <= document.keys():
        return None
    return document


def _explain(status: int, server: str) -> str:
    if server.startswith("minreg"):
        return f"minreg responds with {status}: its status is at its --status-listen address"
    return f"the response ({status}) is from {server or 'an unknown server'}, not from minreg"


def _exit_without_status(url: str, reason: str, *, as_json: bool, is_stopped: bool) -> NoReturn:
    """Print that the registry is not running, or that this is not known, and what to do."""
    running = False if is_stopped else None
    if as_json:
        click.echo(json.dumps({"running": running, "url": url, "reason": reason}, indent=2))
    else:
        verdict = "minreg is not running" if is_stopped else "not known whether minreg is running"
        echo(f"{colorize(verdict, Style.ERROR, bold=True)}")
        for line in wrap(f"{url}: {reason}", "  "):
            echo(line)
        for line in _suggest(is_stopped=is_stopped):
            echo(line)
    sys.exit(_NOT_RUNNING if is_stopped else _UNKNOWN)


def _suggest(*, is_stopped: bool) -> Iterator[str]:
    if not is_stopped:
        yield "  use --url for another address, such as unix:/run/minreg/status.sock"
        return
    if os.path.exists(_UNIT):
        yield "  to start it:  systemctl start minreg.socket minreg"
        yield "  its log:      journalctl -u minreg"
    else:
        yield f"  to start it:  {own_command()} serve --root DIR"
    yield f"  elsewhere:    {own_command()} status --url URL"


def _describe(document: Mapping[str, Any], url: str) -> Iterator[str]:
    """Yield the lines of the status; rows whose values the document does not have are left out."""
    name = f"minreg {document['version']}"
    if document["ready"]:
        yield f"{colorize(f'{name} is running and ready', Style.SUCCESS, bold=True)}"
    else:
        yield f"{colorize(f'{name} is running and not ready', Style.ERROR, bold=True)}"
        for outcome in document["checks"].values():
            if outcome != "ok":
                yield from wrap(str(outcome), "    ", first="  ")
    rows = {
        "root": document.get("root"),
        "listens on": ", ".join(map(str, document.get("listeners", ()))),
        "uptime": _duration(document.get("uptime_seconds"), document.get("started")),
        "processes": document.get("workers"),
        "images": _images(document),
        "not found": _missing(document.get("missing"), url),
    }
    for label, value in rows.items():
        if value not in (None, ""):
            head = f"  {label}".ljust(_LABEL + 2)
            yield from wrap(str(value), " " * len(head), first=head)


def _duration(seconds: object, started: object) -> str:
    if not isinstance(seconds, int):
        return ""
    parts: list[str] = []
    remaining = seconds
    for name, size in _UNIT_OF_TIME:
        number, remaining = divmod(remaining, size)
        if number or (name == "second" and not parts):
            parts.append(count(number, name))
    return f"{' '.join(parts[:2])}, since {printable(str(started))}"


def _images(document: Mapping[str, Any]) -> str:
    images, repositories = document.get("images"), document.get("repositories")
    if not isinstance(images, int) or not isinstance(repositories, int):
        return "not known"
    prefix = "" if document.get("counts_complete") else "at least "
    names = "repository" if repositories == 1 else "repositories"
    return f"{prefix}{count(images, 'image')} in {repositories} {names}"


def _missing(number: object, url: str) -> str:
    if not isinstance(number, int):
        return ""
    option = "" if url == ENDPOINT else f" --url {url}"
    listing = f"{own_command()} missing{option}"
    hint = f" (list them: {listing})" if number else ""
    return f"{count(number, 'name')} that clients requested{hint}"
