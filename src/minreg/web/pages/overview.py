"""What the first page says of the registry as a whole, and how an empty one is filled."""

import shlex
from collections.abc import Mapping
from datetime import UTC, datetime

from twisted.web.template import Tag, tags

from minreg.text import count, format_size
from minreg.web.pages.html import Part, link, query, shown, to_paste
from minreg.web.status.health import OK
from minreg.web.status.totals import RegistryTotals

INCOMPLETE = "incomplete"
"""What ``show`` is in the query for the list of incomplete repositories."""

INCOMPLETE_PATH = query("/", {"show": INCOMPLETE})


def describe_registry(
    host_name: str, checks: Mapping[str, str], totals: RegistryTotals | None
) -> Tag:
    """Say in one line where this is, whether it is ready, and how much it holds.

    Args:
        host_name: The name of the machine; empty if it is not to be shown.
        checks: What came of the checks for readiness.
        totals: How much there is; None if that is not known yet.
    """
    parts: list[Part] = [tags.strong(shown(host_name))] if host_name else []
    problems = [shown(found) for found in checks.values() if found != OK]
    if problems:
        parts.append(tags.span(f"not ready: {'; '.join(problems)}", class_="flag"))
    else:
        parts.append(tags.span("ready", class_="fine"))
    parts += ["counting…"] if totals is None else _describe_totals(totals)
    separated = [part for each in parts for part in (each, "\u00a0· ")]
    return tags.p(separated[:-1], class_="overview")


def time_of_count(totals: RegistryTotals) -> Tag:
    """Say when something was counted: to the minute, with the date for those who point at it."""
    when = datetime.fromtimestamp(int(totals.counted_at), UTC)
    return tags.span(
        "as of ",
        tags.time(
            when.strftime("%H:%M UTC"),
            datetime=when.isoformat(),
            title=when.strftime("%Y-%m-%d %H:%M:%S UTC"),
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
    """Say how a registry that is empty is filled.

    Args:
        root: The directory of its tree; empty if that is not to be shown.
    """
    directory = shlex.quote(shown(root)) if root else "DIRECTORY"
    root_shown: Part = tags.code(shown(root)) if root else "its directory"
    return [
        tags.p("This registry is empty. Fill ", root_shown, " in one of these ways:"),
        tags.h2("From image archives"),
        tags.p("On this machine, with K3s' air-gap tarball for example:", class_="quiet"),
        to_paste(f"minreg import --directory {directory} k3s-airgap-images-amd64.tar.zst"),
        tags.h2("From the internet"),
        tags.p(
            "On a machine with internet access, download the images of a K3s release:",
            class_="quiet",
        ),
        to_paste("minreg download --version stable --platform linux/amd64"),
        tags.p("Pack them:", class_="quiet"),
        to_paste("tar -czf registry-content.tar.gz -C registry ."),
        tags.p("Carry the file to this machine and unpack it:", class_="quiet"),
        to_paste(f"tar -xzf registry-content.tar.gz -C {directory}"),
        tags.h2("With a sample"),
        tags.p("A small image that runs, to try the registry:", class_="quiet"),
        to_paste(f"minreg sample {directory}"),
        tags.p(
            "Then reload this page. The registry does not need a restart.", class_="quiet note"
        ),
    ]
