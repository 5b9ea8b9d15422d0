"""The state of the registry on the first page, and how to fill an empty registry."""

import shlex
from collections.abc import Mapping
from datetime import UTC, datetime

from twisted.web.template import Tag, tags

from minreg.text import count, format_size
from minreg.web.pages.html import Part, escape, link, query, to_paste
from minreg.web.status.health import OK
from minreg.web.status.totals import RegistryTotals

INCOMPLETE = "incomplete"
"""The value of the parameter ``show`` that lists incomplete repositories."""

INCOMPLETE_PATH = query("/", {"show": INCOMPLETE})


def describe_registry(
    host_name: str, checks: Mapping[str, str], totals: RegistryTotals | None
) -> Tag:
    """Return a line with the machine, whether the registry is ready, and its totals.

    Args:
        host_name: The name of the machine; empty if it is not to be shown.
        checks: The results of ``check_readiness``.
        totals: The totals; None while they are counted for the first time.
    """
    parts: list[Part] = [tags.strong(escape(host_name))] if host_name else []
    problems = [escape(result) for result in checks.values() if result != OK]
    if problems:
        parts.append(tags.span(f"not ready: {'; '.join(problems)}", class_="flag"))
    else:
        parts.append(tags.span("ready", class_="fine"))
    parts += ["counting…"] if totals is None else _describe_totals(totals)
    separated = [part for each in parts for part in (each, "\u00a0· ")]
    return tags.p(separated[:-1], class_="overview")


def time_of_count(totals: RegistryTotals) -> Tag:
    """Return the time of the count, to the minute; the tooltip has the date."""
    moment = datetime.fromtimestamp(int(totals.counted_at), UTC)
    return tags.span(
        "as of ",
        tags.time(
            moment.strftime("%H:%M UTC"),
            datetime=moment.isoformat(),
            title=moment.strftime("%Y-%m-%d %H:%M:%S UTC"),
        ),
        class_="quiet",
    )


def _describe_totals(totals: RegistryTotals) -> list[Part]:
    repositories = count(totals.repositories, "repository", "repositories")
    parts: list[Part] = [
        f"{count(totals.images, 'image')} in {repositories}",
        format_size(totals.size),
    ]
    if totals.incomplete:
        incomplete = link(INCOMPLETE_PATH, f"{len(totals.incomplete)} incomplete")
        parts.append(tags.span(incomplete, class_="flag"))
    elif totals.repositories and not totals.uncounted:
        parts.append("all complete")
    if totals.uncounted:
        uncounted = count(totals.uncounted, "repository", "repositories")
        parts.append(f"{uncounted} not counted: unreadable or too large")
    return [*parts, time_of_count(totals)]


def explain_filling(root: str) -> list[Tag]:
    """Return instructions for filling an empty registry.

    Args:
        root: The root directory; empty if it is not to be shown.
    """
    directory = shlex.quote(escape(root)) if root else "DIRECTORY"
    root_part: Part = tags.code(escape(root)) if root else "its directory"
    return [
        tags.p("This registry is empty. Fill ", root_part, " in one of these ways:"),
        tags.h2("From image archives"),
        tags.p("On this machine, for example from K3s' air-gap tarball:", class_="quiet"),
        to_paste(f"minreg import --directory {directory} k3s-airgap-images-amd64.tar.zst"),
        tags.h2("From the internet"),
        tags.p(
            "On a machine with internet access, download the images of a K3s release:",
            class_="quiet",
        ),
        to_paste("minreg download --version stable --platform linux/amd64"),
        tags.p("Pack them:", class_="quiet"),
        to_paste("tar -czf registry-content.tar.gz -C registry ."),
        tags.p("Copy the file to this machine and unpack it:", class_="quiet"),
        to_paste(f"tar -xzf registry-content.tar.gz -C {directory}"),
        tags.h2("With a sample"),
        tags.p("A small image that runs, for trying out the registry:", class_="quiet"),
        to_paste(f"minreg sample {directory}"),
        tags.p(
            "Then reload this page. The registry does not need a restart.", class_="quiet note"
        ),
    ]
