"""Tests for pages with hostile text, which is shown as text."""

import json
import os
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.template import flattenString

from minreg.oci.names import OCI_MANIFEST
from minreg.web.pages.html import escape, facts, format_date, image_path, query
from tests.page_support import PageTestCase, ShownPage
from tests.status_support import HOSTILE
from tests.trees import descriptor, index

ALLOWED = {
    *("html", "head", "meta", "title", "link", "body", "header", "main", "nav", "footer"),
    *("h1", "h2", "h3", "p", "pre", "code", "a", "span", "strong", "time", "ul", "li"),
    *("form", "input", "button", "table", "thead", "tbody", "tr", "th", "td"),
    *("dl", "div", "dt", "dd"),
}


class HostilePageTests(PageTestCase):
    """Tests for text from clients and trees in pages."""

    def assert_harmless(self, page: ShownPage) -> None:
        """Check that a page has only the elements that minreg writes."""
        self.assertEqual(set(page.elements) - ALLOWED, set())
        names = {name for name, _ in page.attributes}
        self.assertEqual({name for name in names if name.startswith("on")}, set())
        self.assertTrue(page.text.isprintable())
        self.assertNotIn("\u202e", page.text)
        self.assertLess(len(page.text), 20_000)

    def test_queries(self) -> None:
        """The text of a search is shown escaped."""
        self.tree.add_image("a", "1")
        for text in HOSTILE:
            for path in (f"/?q={quote(text)}", f"/?after={quote(text)}&q=a"):
                self.assert_harmless(self.show(path))

    def test_paths(self) -> None:
        """An invalid path is shown escaped and cut."""
        self.tree.add_image("a", "1")
        for text in HOSTILE:
            self.assert_harmless(self.show(f"/minreg/images/{quote(text)}", 404))
            self.assert_harmless(self.show(f"/minreg/images/a:{quote(text)}", 404))
            self.assert_harmless(self.show(f"/{quote(text)}", 404))
            self.assert_harmless(self.show(f"/minreg/images/a?after={quote(text)}"))
            self.assert_harmless(self.show(f"/?show=incomplete&after={quote(text)}"))

    def test_annotations(self) -> None:
        """Annotations are shown escaped and cut."""
        texts = dict(enumerate((*HOSTILE, "y" * 100_000)))
        annotations = {f"{number}{text}": text for number, text in texts.items()}
        odd = "<b>x</b>"
        subject = self.tree.add_manifest("a", self.tree.image(annotations=annotations), "1")
        self.tree.add_manifest(
            "a",
            self.tree.image(
                b"about",
                annotations=annotations,
                artifactType=odd,
                subject=descriptor(OCI_MANIFEST, subject, 1),
            ),
        )
        page = self.show("/minreg/images/a:1")
        self.assert_harmless(page)
        self.assertIn("<script>alert(1)</script>", page.text)
        self.assertIn("{format} {0} %s %(x)s ${y} {{z}}", page.text)
        self.assertIn(r"\x1b[2J\x07", page.text)

    def test_platforms(self) -> None:
        """Platforms are shown escaped and cut."""
        for number, text in enumerate(HOSTILE):
            platform = {"os": text, "architecture": text}
            image = self.tree.add_image("a", layer=text.encode())
            child = descriptor(OCI_MANIFEST, image, 1, platform=platform)
            self.tree.add_manifest("a", index([child]), f"t{number}")
            self.assert_harmless(self.show(f"/minreg/images/a:t{number}"))
        self.assert_harmless(self.show("/"))
        self.assert_harmless(self.show("/minreg/images/a"))

    def test_user_agents(self) -> None:
        """User agents are shown escaped and cut."""
        for number, text in enumerate(HOSTILE):
            agent = text.encode().decode("latin-1").translate({0: None, 10: None, 13: None})
            self.request(f"/v2/a/manifests/{number}", headers={"User-Agent": agent})
        page = self.show("/minreg/missing")
        self.assert_harmless(page)
        self.assertIn("<script>alert(1)</script>", page.text)

    def test_host(self) -> None:
        """A ``Host`` that is not a host name is not used in commands."""
        self.tree.add_image("a", "1")
        for text, code in (
            *((text, 400) for text in ("<script>", 'x"y', "a b", "evil.example/path")),
            *((text, 200) for text in ("$(reboot)", "a'b", "")),
        ):
            answer = self.request(
                "/minreg/images/a:1", headers={"Accept": "text/html", "Host": text}
            )
            self.assertEqual(answer.code, code, text)
            if code == 200:
                page = ShownPage(answer.body.decode())
                self.assert_harmless(page)
                self.assertIn("ctr images pull --plain-http 127.0.0.1:9080/a:1", page.pastes)
                self.assertIn('- "http://127.0.0.1:9080"', page.pastes[-1])

    def test_files(self) -> None:
        """Files with invalid names are not shown."""
        self.tree.add_image("a", "1")
        for text in HOSTILE[:4]:
            # In UTF-8, whatever the locale.
            name = os.fsdecode(text.replace("/", "").replace("\x00", "").encode())
            os.makedirs(self.tree.path(name, "manifests"))
            self.tree.write(json.dumps({}).encode(), "a", "manifests", name)
        page = self.show("/")
        self.assert_harmless(page)
        self.assertEqual(len([text for text in page.links.values() if "images" in text]), 2)
        self.assert_harmless(self.show("/minreg/images/a"))


class PartsTests(SynchronousTestCase):
    """Tests for ``minreg.web.pages.html``."""

    @given(st.text(), st.text())
    @settings(max_examples=200)
    def test_any_text(self, name: str, text: str) -> None:
        """No text changes the elements of a page."""
        html = self.successResultOf(flattenString(None, facts([(escape(name), escape(text))])))
        page = ShownPage(html.decode("utf-8"))
        self.assertEqual(page.elements, ["dl", "div", "dt", "dd"])

    def test_impossible_date(self) -> None:
        """A time that is not in the calendar is a dash."""
        for seconds in (1e300, 1e18, float("inf"), float("nan")):
            html = self.successResultOf(flattenString(None, format_date(seconds)))
            self.assertEqual(html.decode(), "<span>—</span>")

    @given(st.text())
    def test_any_path(self, text: str) -> None:
        """Whatever the name, a link leads to this site."""
        for target in (image_path(text), query("/", {"q": text})):
            self.assertTrue(target.startswith("/"))
            self.assertFalse(target.startswith("//"))
            self.assertTrue(target.isascii())
