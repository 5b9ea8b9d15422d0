"""The page about what was missed."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.web.template import Tag, tags

from minreg.oci.errors import RegistryError, manifest_unknown, name_unknown
from minreg.oci.names import Digest, DigestInvalid, NameInvalid, parse_reference, parse_repository
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
from minreg.web.pages.image import describe_image, pull_names, url_of
from minreg.web.pages.search import Listing
from minreg.web.request import RegistryRequest
from minreg.web.status.context import StatusContext, StatusOptions
from minreg.web.status.not_found import NotFoundEntry, image_of, join_reference

_HEADINGS = (
    ("Asked for", "name"),
    ("Times", "number"),
    ("First (UTC)", "time"),
    ("Last (UTC)", "time"),
    ("By", "who"),
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
        return [tags.p("Nothing: all that was asked for since the start was here.", class_="fine")]
    return [
        tags.p(
            "Asked for since the start, and not here. "
            "The most wanted stand first; names that nobody asks for again give way to others."
        ),
        table(_HEADINGS, [_row(miss, image_of(miss.wanted, aliases)) for miss in misses]),
        tags.h2("Fetch it"),
        tags.p(
            "Write down the list here (",
            link(f"{MISSING}?format=list", "as text"),
            ", ",
            link(f"{MISSING}?format=json", "as JSON"),
            "):",
            class_="quiet",
        ),
        to_paste(f"minreg missing --url {url} > missing.txt"),
        tags.p("and fill a tree with it, on a machine with a network:", class_="quiet"),
        to_paste("minreg download --skip-k3s --file missing.txt"),
    ]


def _row(miss: NotFoundEntry, image: str) -> Tag:
    return tags.tr(
        cell("name", *_name(miss, image)),
        cell("number", f"{miss.count} ×"),  # noqa: RUF001 - times
        cell("time", time_of(miss.first)),
        cell("time", time_of(miss.last)),
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
        self._plan = plan
        self._listing = Listing(watched.store, watched.disk, watched.clock)
        self._turns = DeferredSemaphore(_AT_ONCE)

    async def home(self, request: RegistryRequest) -> bytes:
        """Show the repositories, or those that a search finds."""
        return await self._take_turn(self._write_home, request)

    async def image(self, request: RegistryRequest) -> bytes:
        """Show the repository or the image that the path names.

        Raises:
            RegistryError: There is no such thing.
        """
        name, reference = _parse_place(request)
        try:
            if reference is None:
                return await self._take_turn(self._write_repository, request, name)
            image = await self._disk.run(self._look, name, reference)
        except (RepositoryNotFound, ContentNotFound):
            raise name_unknown(name) from None
        if image.root is None:
            raise manifest_unknown("; ".join(image.problems), {})
        names = pull_names(name, self._plan.aliases, self._url(request))
        separator = "@" if isinstance(reference, Digest) else ":"
        return await write_page(
            str(image),
            len(self._misses),
            _path(name),
            tags.h1(tags.span(name, separator, class_="of"), str(reference)),
            describe_image(image, names),
        )

    async def missing(self, request: RegistryRequest) -> bytes:
        """Show what was missed."""
        missed = self._misses.list()
        return await write_page(
            "MissingBlob",
            len(missed),
            tags.h1("MissingBlob"),
            describe_misses(missed, self._plan.aliases, url_of(request, _EXAMPLE)),
            here=MISSING,
        )

    async def problem(self, _request: RegistryRequest, error: RegistryError) -> bytes:
        """Show why there is nothing to be shown."""
        title = "Not here" if error.status == 404 else "Not now"
        return await write_page(
            title,
            len(self._misses),
            tags.h1(title),
            tags.p(shown(error.message), class_="notice"),
            tags.p(link("/", "All repositories")),
        )

    async def _take_turn(
        self, write: Callable[..., Coroutine[Any, Any, bytes]], *args: object
    ) -> bytes:
        page: bytes = await self._turns.run(lambda: Deferred.fromCoroutine(write(*args)))
        return page

    async def _write_home(self, request: RegistryRequest) -> bytes:
        text, after = _argument(request, b"q"), _argument(request, b"after")
        if text.split():
            listed = await self._listing.search(text, after, home.PAGE)
        else:
            listed = await self._listing.list(after, home.PAGE)
        rows = home.rows_of(self._store, self._disk, self._clock)
        shown_here: Tag | str = rows.table(listed.names)
        if not listed.names:
            shown_here = tags.p(_nothing(text, after, is_exhausted=listed.is_exhausted))
        page = await write_page(
            f"{text} – search" if text else "Repositories",  # noqa: RUF001 - a dash
            len(self._misses),
            tags.h1("Repositories"),
            home.search_form(text),
            shown_here,
            home.navigation(listed, text, after),
            here="" if text or after else "/",
        )
        self._listing.make_ready()
        return page

    async def _write_repository(self, request: RegistryRequest, name: str) -> bytes:
        after = _argument(request, b"after")
        found = await self._disk.run(self._list_tags, name)
        behind = [tag for tag in found if tag > after]
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
        )

    def _url(self, request: RegistryRequest) -> str:
        """Tell where the registry is: as the browser reached it, if it reached that."""
        known = self._site.url or _EXAMPLE
        return known if self._plan.is_elsewhere else url_of(request, known)

    def _list_tags(self, name: str) -> list[str]:
        found: list[str] = self._store.find_repository(None, name).list_tags()
        return found

    def _look(self, name: str, reference: str | Digest) -> StoredImage:
        return inspect_image(self._store.find_repository(None, name), reference)


_EXAMPLE = "http://127.0.0.1:9080"


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
    """Lead back to where an image belongs."""
    steps: list[Tag | str] = [link("/", "Repositories")]
    if name:
        steps += [" / ", link(image_path(name), name)]
    return tags.p(steps, class_="path")


def _nothing(text: str, after: str, *, is_exhausted: bool) -> str:
    if not is_exhausted:
        return "Nothing so far; there is more to look through."
    if text:
        return f"No {'more ' if after else ''}repository has “{shown(text)}” in its name."
    return "There is nothing more." if after else "This registry is empty."
