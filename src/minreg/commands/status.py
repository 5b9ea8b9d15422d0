"""``minreg status``: whether a registry runs, and what it has, in one screen.

The exit status is that of the Linux Standard Base for ``status``: 0 it runs and is ready, 3 it
does not run, 4 that is not known; and 1 if it runs and is not ready.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import click

from minreg.commands.client import RegistrySilent, ask_registry, check_url, choose_url
from minreg.commands.next_steps import own_command
from minreg.commands.terminal import Look, echo, paint, wrap
from minreg.defaults import ENDPOINT
from minreg.text import count, printable

_NOT_READY = 1
_NOT_RUNNING = 3
_UNKNOWN = 4
_UNIT = "/etc/systemd/system/minreg.service"
_UNIT_OF_TIME = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
_LABEL = 12


def run(*, url: str | None, as_json: bool) -> None:
    """Ask the registry, and exit with the status that tells how it is."""
    url = check_url(url or choose_url(os.environ, is_told=False))
    try:
        answer = ask_registry(url, "/minreg/status")
    except RegistrySilent as error:
        _end(url, str(error), as_json=as_json, is_absent=error.is_absent)
    document = _read(answer.content)
    if document is None:
        _end(
            url,
            _explain(answer.status, answer.server),
            as_json=as_json,
            is_absent=False,
        )
    if as_json:
        click.echo(json.dumps({"running": True, "url": url, **document}, indent=2))
    else:
        for line in _describe(document, url):
            echo(line)
    if not document["ready"]:
        sys.exit(_NOT_READY)


def _read(content: bytes) -> dict[str, Any] | None:
    """Read the document; None if it is not that of a registry."""
    try:
        document = json.loads(content)
    except ValueError:
        return None
    if not isinstance(document, dict) or not {"version", "ready", "checks"} <= document.keys():
        return None
    return document


def _explain(status: int, server: str) -> str:
    if server.startswith("minreg"):
        return f"minreg answers {status} there: its status is where --status-listen says"
    return f"it answers {status} as {server or 'a program without a name'}, and is not minreg"


def _end(url: str, reason: str, *, as_json: bool, is_absent: bool) -> NoReturn:
    """Say that no registry runs, or that nobody can tell, and what to do."""
    running = False if is_absent else None
    if as_json:
        click.echo(json.dumps({"running": running, "url": url, "reason": reason}, indent=2))
    else:
        words = "minreg is not running" if is_absent else "not known whether minreg is running"
        echo(f"{paint(words, Look.ERROR, bold=True)}")
        for line in wrap(f"{url}: {reason}", "  "):
            echo(line)
        for line in _advise(is_absent=is_absent):
            echo(line)
    sys.exit(_NOT_RUNNING if is_absent else _UNKNOWN)


def _advise(*, is_absent: bool) -> Iterator[str]:
    if not is_absent:
        yield "  name another place with --url, such as unix:/run/minreg/status.sock"
        return
    if os.path.exists(_UNIT):
        yield "  to start it:  systemctl start minreg.socket minreg"
        yield "  its log:      journalctl -u minreg"
    else:
        yield f"  to start it:  {own_command()} serve --root DIR"
    yield f"  elsewhere:    {own_command()} status --url URL"


def _describe(document: Mapping[str, Any], url: str) -> Iterator[str]:
    """Write the status in lines; what a document lacks is left out."""
    name = f"minreg {document['version']}"
    if document["ready"]:
        yield f"{paint(f'{name} is running and ready', Look.GOOD, bold=True)}"
    else:
        yield f"{paint(f'{name} is running and not ready', Look.ERROR, bold=True)}"
        for outcome in document["checks"].values():
            if outcome != "ok":
                yield from wrap(str(outcome), "    ", first="  ")
    rows = {
        "root": document.get("root"),
        "listens at": ", ".join(map(str, document.get("listeners", ()))),
        "up for": _duration(document.get("uptime_seconds"), document.get("started")),
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
    left = seconds
    for name, size in _UNIT_OF_TIME:
        number, left = divmod(left, size)
        if number or (name == "second" and not parts):
            parts.append(count(number, name))
    return f"{' '.join(parts[:2])}, since {printable(str(started))}"


def _images(document: Mapping[str, Any]) -> str:
    images, repositories = document.get("images"), document.get("repositories")
    if not isinstance(images, int) or not isinstance(repositories, int):
        return "not known"
    least = "" if document.get("counts_complete") else "at least "
    names = "repository" if repositories == 1 else "repositories"
    return f"{least}{count(images, 'image')} in {repositories} {names}"


def _missing(number: object, url: str) -> str:
    if not isinstance(number, int):
        return ""
    option = "" if url == ENDPOINT else f" --url {url}"
    listing = f"{own_command()} missing{option}"
    advice = f" (list them: {listing})" if number else ""
    return f"{count(number, 'name')} that clients asked for{advice}"
