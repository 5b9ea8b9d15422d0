"""The pages: which one a request gets, and what it reads for it."""

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
from minreg.web.pages import repositories
from minreg.web.pages.html import (
    IMAGES,
    NOT_FOUND,
    Part,
    cell,
    escape,
    format_date,
    image_path,
    link,
    table,
    to_paste,
    write_page,
)
from minreg.web.pages.image import RegistryAddress, address_of, describe_image, pull_names
from minreg.web.pages.overview import INCOMPLETE, describe_registry, explain_filling, time_of_count
from minreg.web.pages.search import RepositorySearch, page_of_names
from minreg.web.pages.tags import skip_to, sort_tags
from minreg.web.request import RegistryRequest
from minreg.web.status.context import StatusContext, StatusOptions
from minreg.web.status.health import check_readiness
from minreg.web.status.not_found import NotFoundEntry, image_of, join_reference
from minreg.web.status.totals import FIRST_COUNT_TIMEOUT, RegistryTotals

_MOST_LISTS = 2
"""Lists that are written at the same time. Each delays pulls while a row is formatted."""

_FALLBACK_URL = "http://127.0.0.1:9080"
"""The registry's URL in commands if its address is unknown."""

_ERROR_TITLES = {404: "Not found", 503: "Not ready"}


class PageViews:
    """Writes the pages.

    Args:
        context: The registry.
        options: How the daemon was started.
    """

    def __init__(self, context: StatusContext, options: StatusOptions) -> None:
        self._site = context.site
        self._store = context.store
        self._disk = context.disk
        self._clock = context.clock
        self._not_found = context.not_found
        self._totals = context.totals
        self._options = options
        self._search = RepositorySearch(context.store, context.disk, context.clock)
        self._semaphore = DeferredSemaphore(_MOST_LISTS)

    async def home(self, request: RegistryRequest) -> bytes:
        """Return the list of repositories: all, those that a search finds, or incomplete ones."""
        totals = self._totals.totals
        if b"q" not in request.args:
            totals = await self._totals.fetch(FIRST_COUNT_TIMEOUT)
        return await self._write_list(self._write_home, request, totals)

    async def image(self, request: RegistryRequest) -> bytes:
        """Return the page of the repository or image that the path names.

        Raises:
            RegistryError: It does not exist.
        """
        name, reference = _parse_path(request)
        try:
            if reference is None:
                return await self._write_list(self._write_repository, request, name)
            image, date = await self._disk.run(self._inspect, name, reference)
        except (RepositoryNotFound, ContentNotFound):
            raise name_unknown(name) from None
        if image.root is None:
            raise manifest_unknown("; ".join(image.problems), {})
        names = pull_names(name, self._options.aliases, self._address(request))
        separator = "@" if isinstance(reference, Digest) else ":"
        return await write_page(
            str(image),
            len(self._not_found),
            _breadcrumbs(name),
            tags.h1(tags.span(name, separator, class_="of"), str(reference)),
            describe_image(image, date, names),
        )

    async def not_found(self, request: RegistryRequest) -> bytes:
        """Return the page with the not-found log."""
        entries = self._not_found.list()
        url = address_of(request, _FALLBACK_URL).url
        return await write_page(
            "Not found by clients",
            len(entries),
            tags.h1("Not found by clients"),
            describe_not_found(entries, self._options.aliases, url),
            here=NOT_FOUND,
        )

    async def unknown_path(self, request: RegistryRequest) -> bytes:
        """Refuse a path that has no page.

        Raises:
            RegistryError: Always.
        """
        path = request.path.decode("utf-8", "backslashreplace")
        raise RegistryError(404, "UNSUPPORTED", f"there is no page {path}")

    async def error(self, _request: RegistryRequest, error: RegistryError) -> bytes:
        """Return the page about an error."""
        title = _ERROR_TITLES.get(error.status, "Bad request")
        return await write_page(
            title,
            len(self._not_found),
            tags.h1(title),
            tags.p(escape(error.message), class_="notice problem"),
            tags.p("Reload this page when this is fixed.")
            if error.status == 503
            else tags.p(link("/", "All repositories")),
        )

    async def _write_list(
        self, write: Callable[..., Coroutine[Any, Any, bytes]], *args: object
    ) -> bytes:
        page: bytes = await self._semaphore.run(lambda: Deferred.fromCoroutine(write(*args)))
        return page

    async def _write_home(self, request: RegistryRequest, totals: RegistryTotals | None) -> bytes:
        text, after = _parameter(request, b"q"), _parameter(request, b"after")
        is_filtered = _parameter(request, b"show") == INCOMPLETE and not text.split()
        size = repositories.PAGE_SIZE
        if is_filtered:
            result = page_of_names(totals.incomplete if totals else (), after, size)
        elif text.split():
            result = await self._search.search(text, after, size)
        else:
            result = await self._search.list(after, size)
        checks = await check_readiness(self._site, self._store, self._disk)
        content: Any
        if result.names:
            rows = repositories.repository_table(self._store, self._disk, self._clock)
            content = rows.render(result.names)
        elif is_filtered:
            content = _explain_no_incomplete(totals)
        elif text.split() or after:
            content = tags.p(_explain_no_match(text, is_exhausted=result.is_exhausted))
        else:
            content = explain_filling(self._options.root)
        title = "Incomplete repositories" if is_filtered else "Repositories"
        filters = {"q": text, "show": INCOMPLETE if is_filtered else ""}
        page = await write_page(
            f"{text} – search" if text else title,  # noqa: RUF001 - a dash
            len(self._not_found),
            tags.h1(title),
            describe_registry(self._options.host_name, checks, totals),
            repositories.search_form(text),
            content,
            repositories.repository_navigation(result, filters, after),
            here="" if text or after or is_filtered else "/",
        )
        self._search.prefetch()
        return page

    async def _write_repository(self, request: RegistryRequest, name: str) -> bytes:
        after = _parameter(request, b"after")
        following = skip_to(await self._disk.run(self._list_tags, name), after)
        page = following[: repositories.PAGE_SIZE]
        has_more = len(following) > len(page)
        rows = repositories.tag_table(self._store, self._disk, self._clock, name)
        return await write_page(
            name,
            len(self._not_found),
            _breadcrumbs(""),
            tags.h1(name),
            rows.render(page) if page else tags.p("No tags.", class_="quiet"),
            repositories.tag_navigation(name, page, has_more=has_more, after=after),
            repositories.explain_dates() if page else "",
        )

    def _address(self, request: RegistryRequest) -> RegistryAddress:
        """Return the registry's address: the browser's, unless the page is on another site."""
        url = self._site.url or _FALLBACK_URL
        if self._options.is_elsewhere:
            return RegistryAddress.parse(url)
        return address_of(request, url)

    def _list_tags(self, name: str) -> list[str]:
        return sort_tags(self._store.find_repository(None, name).list_tags())

    def _inspect(self, name: str, reference: str | Digest) -> tuple[StoredImage, ImageDate | None]:
        repository = self._store.find_repository(None, name)
        image = inspect_image(repository, reference)
        return image, find_date(repository, image)


_NOT_FOUND_HEADINGS = (
    ("Content", "name"),
    ("Requests", "number"),
    ("First (UTC)", "time first"),
    ("Last (UTC)", "time last"),
    ("Client", "who"),
)


def describe_not_found(
    entries: Sequence[NotFoundEntry], aliases: Mapping[str, str], url: str
) -> list[Part]:
    """Return the content of the page with the not-found log.

    Args:
        entries: The entries of the log.
        aliases: Names of the registry, each with the upstream host that it stands for.
        url: The URL where the log is served.
    """
    if not entries:
        return [tags.p("All requested images were found since the start.", class_="fine")]
    return [
        tags.p("Images and blobs that clients requested since the start and that do not exist."),
        table(
            _NOT_FOUND_HEADINGS,
            [_not_found_row(entry, image_of(entry.content, aliases)) for entry in entries],
        ),
        tags.h2("Download them"),
        tags.p(
            "Save the list (also ",
            link(f"{NOT_FOUND}?format=list", "as text"),
            " or ",
            link(f"{NOT_FOUND}?format=json", "as JSON"),
            "):",
            class_="quiet",
        ),
        to_paste(f"minreg missing --url {url} > missing.txt"),
        tags.p("On a machine with internet access, download the images:", class_="quiet"),
        to_paste("minreg download --skip-k3s --file missing.txt"),
    ]


def _not_found_row(entry: NotFoundEntry, image: str) -> Tag:
    return tags.tr(
        cell("name", *_not_found_name(entry, image)),
        cell("number", f"{entry.count} ×"),  # noqa: RUF001 - times
        cell("time first", format_date(entry.first)),
        cell("time last", format_date(entry.last)),
        cell("who quiet", escape(entry.user_agent)),
    )


def _not_found_name(entry: NotFoundEntry, image: str) -> list[Part]:
    content = entry.content
    name = image or join_reference(content.repository, content.reference)
    try:
        digest = Digest.parse(content.reference)
    except DigestInvalid:
        parts: list[Part] = [escape(name)]
    else:
        beginning = name[: -len(digest.encoded)]
        parts = [tags.span(f"{beginning}{digest.encoded[:12]}…", title=name)]
    if content.is_blob:
        parts.append(tags.span(" blob", class_="quiet"))
    return parts


def _parameter(request: RegistryRequest, name: bytes) -> str:
    """Return a parameter of the query, cut to 255 characters; empty if it is missing."""
    value: bytes = request.args.get(name, [b""])[-1]
    return value.decode("utf-8", "replace")[:255]


def _parse_path(request: RegistryRequest) -> tuple[str, str | Digest | None]:
    """Return the repository that a path names, and the tag or digest if it names one.

    Raises:
        RegistryError: It names no repository.
    """
    path = unquote_to_bytes(request.path.partition(IMAGES.encode("ascii"))[2])
    text = path.decode("utf-8", "backslashreplace")
    name, separator, reference = text.partition("@" if "@" in text else ":")
    try:
        return parse_repository(name), parse_reference(reference) if separator else None
    except (NameInvalid, DigestInvalid):
        raise name_unknown(text) from None


def _breadcrumbs(name: str) -> Tag:
    """Return links to the list of repositories and, if it is named, to a repository."""
    links: list[Tag | str] = [link("/", "Repositories")]
    if name:
        links += [" / ", link(image_path(name), name)]
    return tags.p(links, class_="path")


def _explain_no_match(text: str, *, is_exhausted: bool) -> str:
    if not is_exhausted:
        return "No match so far, and there are more repositories to search."
    if text.split():
        return f"No repository has “{escape(text)}” in its name."
    return "There are no more repositories."


def _explain_no_incomplete(totals: RegistryTotals | None) -> Tag:
    if totals is None:
        return tags.p("The repositories are being counted: reload this page in a moment.")
    return tags.p("All repositories are complete, ", time_of_count(totals), ".", class_="fine")
