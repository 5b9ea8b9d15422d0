"""The pages in a real browser."""

import os
import re
import shlex
import socket
import subprocess
from http.client import HTTPConnection

from minreg.oci.names import OCI_MANIFEST, Digest
from tests.e2e.browser import Browser
from tests.e2e.content import SAMPLE, write_sample
from tests.e2e.support import EndToEndTestCase
from tests.trees import TreeBuilder, descriptor, index


class PageTests(EndToEndTestCase):
    """Tests for the pages."""

    def setUp(self) -> None:
        """Serve the sample."""
        self.need_programs("chromium", "chromedriver")
        root = self.make_directory()
        write_sample(root)
        self.daemon = self.start_daemon(root)
        self.home = f"http://{self.daemon.registry}/"

    def open_browser(self, width: int = 1200) -> Browser:
        """Open a browser, and close it at the end of the test."""
        browser = Browser(self.make_directory(), width)
        self.addCleanup(browser.close)
        return browser

    def test_from_list_to_image(self) -> None:
        """The links lead from the list to an image and its commands."""
        browser = self.open_browser()
        browser.go(self.home)
        self.assertEqual(browser.texts("h1"), ["Repositories"])
        # The first count may take longer than the first page waits for it.
        self.wait_until(lambda: self.reload(browser, "counting…") == 0)
        [overview] = browser.texts("p.overview")
        self.assertRegex(
            overview, rf"^{re.escape(socket.gethostname())} · ready · 1 image in 1 repository · "
        )
        browser.follow("td.name a", SAMPLE)
        browser.follow("td.name a", "1.0")
        self.assertEqual(browser.texts("h1"), [f"{SAMPLE}:1.0"])
        self.assertIn("Complete", browser.text())
        pastes = browser.texts("pre")
        self.assertEqual(pastes[2], f"docker pull {self.daemon.registry}/{SAMPLE}:1.0")
        self.assertEqual(pastes[3], f"crictl pull bootstrap-registry.airgap/{SAMPLE}:1.0")
        self.assertIn(f'- "http://{self.daemon.registry}"', pastes[-1])
        platforms = {text.split()[0] for text in browser.texts("h3")}
        self.assertLessEqual({"linux/amd64", "linux/arm64"}, platforms)
        self.assertEqual(browser.complaints(), [])

    def reload(self, browser: Browser, text: str) -> int:
        """Open the first page, and return how often a text is in it."""
        browser.go(self.home)
        return browser.text().count(text)

    def test_paste(self) -> None:
        """One click selects a whole command."""
        browser = self.open_browser()
        browser.go(f"{self.home}minreg/images/{SAMPLE}:1.0")
        for selector in ("pre", "pre ~ pre", "pre:last-of-type"):
            expected = browser.evaluate(f"document.querySelector('{selector}').textContent")
            browser.click(selector)
            self.assertEqual(browser.evaluate("getSelection().toString()").strip(), expected)

    def test_pulled_from_the_page(self) -> None:
        """The first command works on the machine of the browser."""
        self.need_programs("skopeo")
        browser = self.open_browser()
        browser.go(f"{self.home}minreg/images/{SAMPLE}:1.0")
        program, *arguments = shlex.split(browser.texts("pre")[0])
        self.assertEqual(program, "skopeo")
        directory = self.make_directory()
        # The policy for signatures depends on the machine.
        command = [program, "--insecure-policy", *arguments]
        subprocess.run(command, cwd=directory, check=True, capture_output=True, timeout=60)
        self.assertEqual(os.listdir(directory), ["sample.tar"])

    def test_search(self) -> None:
        """A search finds names, and reports if there is none."""
        browser = self.open_browser()
        browser.go(self.home)
        browser.type("input[name=q]", "SAMP")
        browser.follow("button")
        self.assertEqual(browser.texts("td.name a"), [SAMPLE])
        browser.go(f"{self.home}?q=<script>alert(1)</script>")
        self.assertIn("No repository has “<script>alert(1)</script>”", browser.text())
        self.assertEqual(browser.complaints(), [])

    def test_style(self) -> None:
        """The style sheet is loaded, and follows the preferred colours."""
        browser = self.open_browser()
        brightness = {}
        for scheme in ("light", "dark"):
            browser.set_color_scheme(scheme)
            browser.go(self.home)
            style = "getComputedStyle(document.body).backgroundColor"
            brightness[scheme] = sum(map(int, re.findall("[0-9]+", browser.evaluate(style))))
        self.assertGreater(brightness["light"], 700)
        self.assertLess(brightness["dark"], 100)
        self.assertEqual(browser.complaints(), [])

    def test_unknown_path(self) -> None:
        """The page for an unknown path has a link to the first page."""
        browser = self.open_browser()
        browser.go(f"{self.home}nothing/here")
        self.assertIn("there is no page /nothing/here", browser.text().lower())
        browser.follow("main a", "All repositories")
        self.assertEqual(browser.texts("h1"), ["Repositories"])

    def test_nothing_to_scroll_sideways(self) -> None:
        """No page is wider than the screen, however long its names are."""
        root = self.make_directory()
        paths = write_long_names(root)
        full = self.start_daemon(os.path.join(root, "tree"))
        empty_root = self.make_directory()
        empty = self.start_daemon(empty_root)
        for number in range(3):
            path = f"/v2/{LONG_NAME}/manifests/{number}{LONG_TAG}"
            ask(full.registry, path, "x" * 120)
        browser = self.open_browser()
        browser.go(f"http://{empty.registry}/")
        self.assertIn(f"minreg sample {shlex.quote(empty_root)}", browser.texts("pre"))
        pages = [f"http://{full.registry}/{path}" for path in paths]
        pages += [f"http://{empty.registry}/{path}" for path in ("", "minreg/missing", "x" * 900)]
        for width in (390, 920, 1280):
            browser.set_width(width)
            for page in pages:
                browser.go(page)
                self.assertIn("minreg", browser.text())
                shown = browser.evaluate("document.scrollingElement.scrollWidth")
                self.assertLessEqual(shown, width, page)


LONG_NAME = "registry.example.com/" + "/".join(["a-team", "x" * 40, "collector-contrib"] * 3)
LONG_TAG = "v0.119.0-nightly." + "8f3a2c1b" * 12


def ask(registry: str, path: str, user_agent: str) -> None:
    """Send a request, and read the response."""
    connection = HTTPConnection(registry, timeout=30)
    try:
        connection.request("GET", path, headers={"User-Agent": user_agent})
        connection.getresponse().read()
    finally:
        connection.close()


def write_long_names(root: str) -> list[str]:
    """Write a tree with long names, and return the paths of its pages."""
    tree = TreeBuilder(os.path.join(root, "tree"))
    platforms = [{"os": "linux", "architecture": f"{'y' * 30}{number}"} for number in range(9)]
    children = [
        descriptor(OCI_MANIFEST, tree.add_image(LONG_NAME), 1, platform=platforms[0]),
        *(descriptor(OCI_MANIFEST, Digest.of(b""), 1, platform=each) for each in platforms[1:]),
    ]
    annotations = {"z" * 200: "z" * 300}
    tree.add_manifest(LONG_NAME, index(children, annotations=annotations), LONG_TAG)
    lacking = tree.image(b"lost", artifactType="application/vnd." + "k" * 100)
    tree.add_manifest("lacking", lacking, LONG_TAG)
    os.unlink(tree.path("blobs", str(Digest.of(b"lost"))))
    return [
        *("", "?q=team", f"?q={'w' * 200}", "?show=incomplete", "minreg/missing"),
        *(f"minreg/images/{name}" for name in (LONG_NAME, "lacking", "none")),
        *(f"minreg/images/{name}:{LONG_TAG}" for name in (LONG_NAME, "lacking")),
    ]
