"""The page about what was missed."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.web.template import Tag, tags

from minreg.oci.errors import RegistryError, manifest_unknown, name_unknown
from minreg.oci.names import Digest, DigestInvalid, NameInvalid, parse_reference, parse_repository
from minreg.store.dates import ImageDate, find_date
from minreg.store.images import StoredImage, inspect_image
from minreg.store.interfaces import ContentNotFound, RepositoryNotFound
from minreg.web.pages import repositories as home
from minreg.web.pages import repository
from minreg.web.pages.html import (
    IMAGES,
    MISSING,
    Part,
    cell,
    image_path,
    link,
    shown,
    table,
    time_of,
    to_paste,
    write_page,
)
from minreg.web.pages.image import RegistryAddress, address_of, describe_image, pull_names
from minreg.web.pages.overview import INCOMPLETE, describe_registry, explain_filling, time_of_count
from minreg.web.pages.search import Listing, cut_names
from minreg.web.pages.tags import skip_to, sort_tags
from minreg.web.request import RegistryRequest
from minreg.web.status.context import StatusContext, StatusOptions
from minreg.web.status.health import check_readiness
from minreg.web.status.not_found import NotFoundEntry, image_of, join_reference
from minreg.web.status.totals import RegistryTotals

_HEADINGS = (
    ("Asked for", "name"),
    ("Times", "number"),
    ("First (UTC)", "time first"),
    ("Last (UTC)", "time last"),
    ("Client", "who"),
)


def describe_misses(
    misses: Sequence[NotFoundEntry], aliases: Mapping[str, str], url: str
) -> list[Part]:
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


def _row(miss: NotFoundEntry, image: str) -> Tag:
    return tags.tr(
        cell("name", *_name(miss, image)),
        cell("number", f"{miss.count} ×"),  # noqa: RUF001 - times
        cell("time first", time_of(miss.first)),
        cell("time last", time_of(miss.last)),
        cell("who quiet", shown(miss.user_agent)),
    )


def _name(miss: NotFoundEntry, image: str) -> list[Part]:
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


_COUNT_TIMEOUT = 1.0
"""Seconds to wait for the first count of all that the registry holds."""

_AT_ONCE = 2
"""Lists that are written at once: the more, the longer a pull waits between their rows."""


class PageViews:
    """Writes pages about a store.

    Args:
        watched: The registry that has the store.
        plan: How the registry is called, and whether it is elsewhere.
    """

    def __init__(self, watched: StatusContext, plan: StatusOptions) -> None:
        self._site = watched.site
        self._store = watched.store
        self._disk = watched.disk
        self._clock = watched.clock
        self._misses = watched.misses
        self._totals = watched.totals
        self._plan = plan
        self._listing = Listing(watched.store, watched.disk, watched.clock)
        self._turns = DeferredSemaphore(_AT_ONCE)

    async def home(self, request: RegistryRequest) -> bytes:
        """Show the repositories: all, those that a search finds, or those that are incomplete."""
        totals = self._totals.totals
        if b"q" not in request.args:
            totals = await self._totals.fetch(_COUNT_TIMEOUT)
        return await self._take_turn(self._write_home, request, totals)

    async def image(self, request: RegistryRequest) -> bytes:
        """Show the repository or the image that the path names.

        Raises:
            RegistryError: There is no such thing.
        """
        name, reference = _parse_place(request)
        try:
            if reference is None:
                return await self._take_turn(self._write_repository, request, name)
            image, date = await self._disk.run(self._look, name, reference)
        except (RepositoryNotFound, ContentNotFound):
            raise name_unknown(name) from None
        if image.root is None:
            raise manifest_unknown("; ".join(image.problems), {})
        names = pull_names(name, self._plan.aliases, self._address(request))
        separator = "@" if isinstance(reference, Digest) else ":"
        return await write_page(
            str(image),
            len(self._misses),
            _path(name),
            tags.h1(tags.span(name, separator, class_="of"), str(reference)),
            describe_image(image, date, names),
        )

    async def missing(self, request: RegistryRequest) -> bytes:
        """Show what was missed."""
        missed = self._misses.list()
        return await write_page(
            "MissingBlob",
            len(missed),
            tags.h1("MissingBlob"),
            describe_misses(missed, self._plan.aliases, address_of(request, _EXAMPLE).url),
            here=MISSING,
        )

    async def not_found(self, request: RegistryRequest) -> bytes:
        """Refuse a path that leads to no page.

        Raises:
            RegistryError: Always.
        """
        path = request.path.decode("utf-8", "backslashreplace")
        raise RegistryError(404, "UNSUPPORTED", f"there is no page {path}")

    async def problem(self, _request: RegistryRequest, error: RegistryError) -> bytes:
        """Show why a page cannot be shown."""
        title = _PROBLEMS.get(error.status, "Bad request")
        return await write_page(
            title,
            len(self._misses),
            tags.h1(title),
            tags.p(shown(error.message), class_="notice problem"),
            tags.p("Reload this page once this is fixed.")
            if error.status == 503
            else tags.p(link("/", "All repositories")),
        )

    async def _take_turn(
        self, write: Callable[..., Coroutine[Any, Any, bytes]], *args: object
    ) -> bytes:
        page: bytes = await self._turns.run(lambda: Deferred.fromCoroutine(write(*args)))
        return page

    async def _write_home(self, request: RegistryRequest, totals: RegistryTotals | None) -> bytes:
        text, after = _argument(request, b"q"), _argument(request, b"after")
        is_filtered = _argument(request, b"show") == INCOMPLETE and not text.split()
        if is_filtered:
            listed = cut_names(totals.incomplete if totals else (), after, home.PAGE)
        elif text.split():
            listed = await self._listing.search(text, after, home.PAGE)
        else:
            listed = await self._listing.list(after, home.PAGE)
        checks = await check_readiness(self._site, self._store, self._disk)
        content: Any = home.rows_of(self._store, self._disk, self._clock).table(listed.names)
        if is_filtered and not listed.names:
            content = _nothing_incomplete(totals)
        elif not (listed.names or text.split() or after):
            content = explain_filling(self._plan.root)
        elif not listed.names:
            content = tags.p(_nothing(text, is_exhausted=listed.is_exhausted))
        title = "Incomplete repositories" if is_filtered else "Repositories"
        page = await write_page(
            f"{text} – search" if text else title,  # noqa: RUF001 - a dash
            len(self._misses),
            tags.h1(title),
            describe_registry(self._plan.host_name, checks, totals),
            home.search_form(text),
            content,
            home.navigation(listed, {"q": text, "show": INCOMPLETE if is_filtered else ""}, after),
            here="" if text or after or is_filtered else "/",
        )
        self._listing.make_ready()
        return page

    async def _write_repository(self, request: RegistryRequest, name: str) -> bytes:
        after = _argument(request, b"after")
        behind = skip_to(await self._disk.run(self._list_tags, name), after)
        names = behind[: repository.PAGE]
        rows = repository.rows_of(self._store, self._disk, self._clock, name)
        goes_on = len(behind) > len(names)
        return await write_page(
            name,
            len(self._misses),
            _path(""),
            tags.h1(name),
            rows.table(names) if names else tags.p("No tags.", class_="quiet"),
            repository.navigation(name, names, goes_on=goes_on, after=after),
            repository.explain_dates() if names else "",
        )

    def _address(self, request: RegistryRequest) -> RegistryAddress:
        """Find where the registry is: as the browser reached it, if it reached that."""
        known = self._site.url or _EXAMPLE
        if self._plan.is_elsewhere:
            return RegistryAddress.parse(known)
        return address_of(request, known)

    def _list_tags(self, name: str) -> list[str]:
        return sort_tags(self._store.find_repository(None, name).list_tags())

    def _look(self, name: str, reference: str | Digest) -> tuple[StoredImage, ImageDate | None]:
        kept = self._store.find_repository(None, name)
        image = inspect_image(kept, reference)
        return image, find_date(kept, image)


_EXAMPLE = "http://127.0.0.1:9080"

_PROBLEMS = {404: "Not found", 503: "Not ready"}


def _argument(request: RegistryRequest, name: bytes) -> str:
    given: bytes = request.args.get(name, [b""])[-1]
    return given.decode("utf-8", "replace")[:255]


def _parse_place(request: RegistryRequest) -> tuple[str, str | Digest | None]:
    """Read the repository, and the tag or digest if there is one, that a path names.

    Raises:
        RegistryError: It names none.
    """
    text = unquote_to_bytes(request.path.partition(IMAGES.encode("ascii"))[2])
    place = text.decode("utf-8", "backslashreplace")
    separator = "@" if "@" in place else ":"
    name, found, reference = place.partition(separator)
    try:
        return parse_repository(name), parse_reference(reference) if found else None
    except (NameInvalid, DigestInvalid):
        raise name_unknown(place) from None


def _path(name: str) -> Tag:
    """Link to the pages above."""
    steps: list[Tag | str] = [link("/", "Repositories")]
    if name:
        steps += [" / ", link(image_path(name), name)]
    return tags.p(steps, class_="path")


def _nothing(text: str, *, is_exhausted: bool) -> str:
    if not is_exhausted:
        return "Nothing so far; there is more to look through."
    if text.split():
        return f"No repository has “{shown(text)}” in its name."
    return "There are no more repositories."


def _nothing_incomplete(totals: RegistryTotals | None) -> Tag:
    if totals is None:
        return tags.p("The repositories are still being counted: reload this page in a moment.")
    return tags.p("All repositories are complete, ", time_of_count(totals), ".", class_="fine")
