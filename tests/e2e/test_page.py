"""The page in a real browser."""

from tests.e2e.browser import Browser
from tests.e2e.content import SAMPLE, write_sample
from tests.e2e.support import EndToEndTestCase

PHONE = 500
"""Pixels; Chromium's window cannot be narrower."""


class PageTests(EndToEndTestCase):
    """Tests for what a person sees and clicks."""

    def setUp(self) -> None:
        """Serve the sample, and open a browser."""
        self.need_programs("chromium", "chromedriver")
        root = self.make_directory()
        write_sample(root)
        self.daemon = self.start_daemon(root)
        self.home = f"http://{self.daemon.registry}/"

    def open_browser(self, width: int = 1200) -> Browser:
        """Open a browser for as long as the test lasts."""
        browser = Browser(self.make_directory(), width)
        self.addCleanup(browser.close)
        return browser

    def test_from_list_to_image(self) -> None:
        """A person finds an image, and the lines that pull it."""
        browser = self.open_browser()
        browser.go(self.home)
        self.assertEqual(browser.texts("h1"), ["Repositories"])
        browser.follow("td.name a", SAMPLE)
        browser.follow("td.name a", "1.0")
        self.assertEqual(browser.texts("h1"), [f"{SAMPLE}:1.0"])
        self.assertIn("Complete", browser.text())
        pastes = browser.texts("pre")
        self.assertEqual(pastes[0], f"crictl pull bootstrap-registry.airgap/{SAMPLE}:1.0")
        self.assertIn(f'- "http://{self.daemon.registry}"', pastes[2])
        platforms = {text.split()[0] for text in browser.texts("h3")}
        self.assertLessEqual({"linux/amd64", "linux/arm64"}, platforms)
        self.assertEqual(browser.complaints(), [])

    def test_paste(self) -> None:
        """One click selects a whole line to paste."""
        browser = self.open_browser()
        browser.go(f"{self.home}minreg/images/{SAMPLE}:1.0")
        browser.click("pre")
        style = "getComputedStyle(document.querySelector('pre')).userSelect"
        self.assertEqual(browser.evaluate(style), "all")

    def test_search(self) -> None:
        """A search finds what has the words, and says when nothing has."""
        browser = self.open_browser()
        browser.go(self.home)
        browser.type("input[name=q]", "SAMP")
        browser.follow("button")
        self.assertEqual(browser.texts("td.name a"), [SAMPLE])
        browser.go(f"{self.home}?q=<script>alert(1)</script>")
        self.assertIn("No repository has “<script>alert(1)</script>”", browser.text())
        self.assertEqual(browser.complaints(), [])

    def test_style(self) -> None:
        """The style sheet is there, and a phone has nothing to scroll sideways."""
        browser = self.open_browser(PHONE)
        for path in ("", f"minreg/images/{SAMPLE}", f"minreg/images/{SAMPLE}:1.0"):
            browser.go(f"{self.home}{path}")
            root = "document.documentElement"
            self.assertLessEqual(browser.evaluate(f"{root}.scrollWidth"), PHONE)
            self.assertEqual(
                browser.evaluate("getComputedStyle(document.querySelector('header')).display"),
                "flex",
            )
        self.assertEqual(browser.complaints(), [])
