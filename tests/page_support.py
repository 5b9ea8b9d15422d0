"""Parsing pages in tests."""

from html.parser import HTMLParser
from typing import ClassVar

from tests.status_support import BROWSER, StatusTestCase
from tests.support import Response


class ShownPage(HTMLParser):
    """The text, links, elements and attributes of a page."""

    VOID: ClassVar = frozenset({"meta", "link", "input"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.links: dict[str, str] = {}
        self.pastes: list[str] = []
        self._open: list[str] = []
        self._texts: list[str] = []
        self._target = ""
        self.feed(html)
        self.close()
        assert not self._open, self._open

    @property
    def text(self) -> str:
        """The text, with single spaces."""
        return " ".join("".join(self._texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See ``HTMLParser``."""
        self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self._open.append(tag)
            self._texts.append(" " if tag not in {"a", "span", "code"} else "")
        if tag == "a":
            self._target = dict(attrs)["href"] or ""
        if tag == "pre":
            self.pastes.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See ``HTMLParser``."""
        assert tag in self.VOID, tag
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """See ``HTMLParser``."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """See ``HTMLParser``."""
        self._texts.append(data)
        if self._open and self._open[-1] == "a":
            self.links[data] = self._target
        if self._open and self._open[-1] == "pre":
            self.pastes[-1] += data


class PageTestCase(StatusTestCase):
    """A registry that is requested by a browser."""

    def browse(self, path: str, **headers: str) -> Response:
        """Send a request of a browser."""
        return self.request(path, headers={**BROWSER, **headers})

    def show(self, path: str, code: int = 200) -> ShownPage:
        """Request a page, check its status, and parse it."""
        response = self.browse(path)
        self.assertEqual(response.code, code)
        self.assertEqual(response.header("content-type"), "text/html; charset=utf-8")
        page = ShownPage(response.body.decode("utf-8"))
        self.assertNotIn("script", page.elements)
        return page
