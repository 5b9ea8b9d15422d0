"""The page about what was missed."""

from collections.abc import Mapping, Sequence

from twisted.web.template import Tag, tags

from minreg.names import Digest, DigestInvalid
from minreg.web.status.misses import Miss
from minreg.web.status.page.parts import MISSING, Part, cell, link, shown, table, time_of, to_paste
from minreg.web.status.wanted import image_of, join_reference

_HEADINGS = (
    ("Asked for", "name"),
    ("Times", "number"),
    ("First (UTC)", "time first"),
    ("Last (UTC)", "time last"),
    ("Client", "who"),
)


def describe_misses(misses: Sequence[Miss], aliases: Mapping[str, str], url: str) -> list[Part]:
    """Write all that there is to say about what was missed.

    Args:
        misses: The record.
        aliases: Names of the registry, each with the host that is meant by it.
        url: Where the record is asked for.
    """
    if not misses:
        return [
            tags.p(
                "Nothing is missing: all that clients asked for since the start was here.",
                class_="fine",
            )
        ]
    return [
        tags.p("What clients asked for since the start and did not find, the most wanted first."),
        table(_HEADINGS, [_row(miss, image_of(miss.wanted, aliases)) for miss in misses]),
        tags.h2("Fetch it"),
        tags.p(
            "Save the list here (",
            link(f"{MISSING}?format=list", "as text"),
            ", ",
            link(f"{MISSING}?format=json", "as JSON"),
            "):",
            class_="quiet",
        ),
        to_paste(f"minreg missing --url {url} > missing.txt"),
        tags.p("Then download what it names, on a machine with internet access:", class_="quiet"),
        to_paste("minreg download --skip-k3s --file missing.txt"),
    ]


def _row(miss: Miss, image: str) -> Tag:
    return tags.tr(
        cell("name", *_name(miss, image)),
        cell("number", f"{miss.count} ×"),  # noqa: RUF001 - times
        cell("time first", time_of(miss.first)),
        cell("time last", time_of(miss.last)),
        cell("who quiet", shown(miss.user_agent)),
    )


def _name(miss: Miss, image: str) -> list[Part]:
    wanted = miss.wanted
    name = image or join_reference(wanted.repository, wanted.reference)
    try:
        digest = Digest.parse(wanted.reference)
    except DigestInvalid:
        parts: list[Part] = [shown(name)]
    else:
        beginning = name[: -len(digest.encoded)]
        parts = [tags.span(f"{beginning}{digest.encoded[:12]}…", title=name)]
    if wanted.is_blob:
        parts.append(tags.span(" a blob", class_="quiet"))
    return parts
