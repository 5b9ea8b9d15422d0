"""Tests for which clients get pages, and for what pages may load."""

import os
from urllib.parse import unquote

from minreg.web.pages.html import ICON
from minreg.web.status.context import StatusOptions
from tests.page_support import PageTestCase, ShownPage
from tests.support import ALIASES, WebTestCase

PATHS = ("/", "/minreg/images/a", "/minreg/images/a:1")
CLIENTS = (
    None,
    "*/*",
    "application/json",
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json",
    "text/plain, text/html;q=0",
)


class BrowserTests(PageTestCase):
    """Tests for ``BrowserResource``."""

    def setUp(self) -> None:
        """Add an image."""
        super().setUp()
        self.tree.add_image("a", "1")

    def test_clients_see_no_pages(self) -> None:
        """A client that does not accept ``text/html`` gets JSON, as without pages."""
        for path in PATHS:
            for accept in CLIENTS:
                headers = {} if accept is None else {"Accept": accept}
                response = self.request(path, headers=headers)
                self.assertEqual((response.code, response.error_code), (404, "UNSUPPORTED"))

    def test_the_api_has_no_pages(self) -> None:
        """No client gets HTML below /v2/."""
        for path in ("/v2/", "/v2/_catalog", "/v2/a/manifests/1", "/v2/a/manifests/2", "/v2/x"):
            self.assertNotIn("text/html", self.browse(path).headers["content-type"])

    def test_headers(self) -> None:
        """A page loads nothing from other hosts, has no scripts, and is not framed."""
        for path in (*PATHS, "/minreg/missing"):
            headers = self.browse(path).headers
            self.assertEqual(
                headers["content-security-policy"],
                "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
                "base-uri 'none'; frame-ancestors 'none'",
            )
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            self.assertEqual(headers["referrer-policy"], "no-referrer")
            self.assertEqual(headers["vary"], "accept")
            self.assertEqual(headers["cache-control"], "no-store")

    def test_own_assets(self) -> None:
        """All links of a page lead to this site."""
        for path in PATHS:
            page = self.show(path)
            targets = {text for name, text in page.attributes if name in {"href", "src", "action"}}
            self.assertEqual({text for text in targets if text[0] != "/"}, {ICON})
            styles = {name for name, _ in page.attributes} & {"style", "onclick", "onerror"}
            self.assertEqual(styles, set())

    def test_style(self) -> None:
        """The style sheet has light and dark colours."""
        [style] = [text for _, text in self.show("/").attributes if ".css" in text]
        response = self.request(style)
        self.assertEqual(response.header("content-type"), "text/css; charset=utf-8")
        self.assertIn(b"prefers-color-scheme: dark", response.body)

    def test_head(self) -> None:
        """HEAD has no body."""
        self.assertEqual(self.request("/", "HEAD", {"Accept": "text/html"}).body, b"")

    def test_not_here(self) -> None:
        """A browser gets a page if an image does not exist."""
        for name in ("b", "a:2", "", "A"):
            page = self.show(f"/minreg/images/{name}", 404)
            self.assertIn("Not found", page.text)

    def test_not_found(self) -> None:
        """For an unknown path, browsers get a page and other clients get JSON."""
        for path in (
            "/x",
            "/favicon.ico",
            "/v1/",
            "/minreg",
            "/minreg/x",
            "/images/a",
            "/%3Cb%3E",
        ):
            page = self.show(path, 404)
            self.assertIn(f"there is no page {path}", page.text)
            self.assertEqual(page.links["All repositories"], "/")
            for accept in CLIENTS:
                headers = {} if accept is None else {"Accept": accept}
                response = self.request(path, headers=headers)
                self.assertEqual((response.code, response.error_code), (404, "UNSUPPORTED"))
            self.assertEqual(self.request(path, "HEAD", {"Accept": "text/html"}).body, b"")
            self.assertEqual(self.request(path, "POST", {"Accept": "text/html"}).code, 405)

    def test_icon(self) -> None:
        """The icon is a part of each page."""
        scheme, _, content = ICON.partition(",")
        self.assertEqual(scheme, "data:image/svg+xml")
        self.assertEqual(unquote(content)[:4], "<svg")
        self.assertNotIn('"', content)

    def test_no_links_to_programs(self) -> None:
        """Paths for programs are mentioned, and not linked."""
        for path in (*PATHS, "/minreg/missing"):
            page = self.show(path)
            self.assertIn("/metrics, /readyz, /livez", page.text)
            for target in page.links.values():
                self.assertNotIn(target.partition("?")[0], {"/metrics", "/readyz", "/livez"})

    def test_no_root(self) -> None:
        """A browser gets a page if the root does not exist."""
        os.rename(self.root, f"{self.root}.gone")
        for path in PATHS:
            page = self.show(path, 503)
            self.assertIn(f"root {self.root}: No such file or directory", page.text)
            self.assertIn("Not ready", page.text)

    def test_client_leaves(self) -> None:
        """If the browser disconnects, the page is cancelled."""
        connection = self.connect()
        connection.channel.dataReceived(b"GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n")
        connection.leave()
        self.assertEqual([event for event in self.events if "log_failure" in event], [])


class NoPageTests(PageTestCase):
    """Tests for a registry without pages."""

    options = StatusOptions(ALIASES, has_page=False)

    def test_none(self) -> None:
        """Browsers get the same responses as other clients."""
        for path in (*PATHS, "/minreg/style.css", "/x", "/minreg/x"):
            response = self.browse(path)
            self.assertEqual((response.code, response.error_code), (404, "UNSUPPORTED"))
        self.assertEqual(self.browse("/minreg/missing").json, {"missing": [], "dropped": 0})


class PlainRegistryTests(WebTestCase):
    """Tests for ``ShownPage``."""

    def test_reader(self) -> None:
        """Elements that are not closed are an error."""
        self.assertRaises(AssertionError, ShownPage, "<p><b>x</p>")
        self.assertRaises(AssertionError, ShownPage, "<p>x")
