"""A real browser: Chromium, controlled by its own driver through the WebDriver protocol.

Source: W3C WebDriver, which is JSON over HTTP.
"""

import json
import subprocess
import time
from collections.abc import Mapping
from http.client import HTTPConnection
from typing import Any

from tests.e2e.programs import free_port

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")


class Browser:
    """A browser with one window.

    Args:
        directory: Where it keeps what it must keep.
        width: Of the window, in pixels.
    """

    def __init__(self, directory: str, width: int = 1200) -> None:
        self._port = free_port()
        self._driver = subprocess.Popen(
            ["chromedriver", f"--port={self._port}", "--silent"],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait_until_ready()
        options = [*_OPTIONS, f"--user-data-dir={directory}", f"--window-size={width},900"]
        capabilities = {"goog:chromeOptions": {"args": options}}
        self._session = ""
        session = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self._session = f"/session/{session['sessionId']}"

    def close(self) -> None:
        """Stop the browser and its driver."""
        self._ask("DELETE", "")
        self._driver.terminate()
        self._driver.wait(20)

    def go(self, url: str) -> None:
        """Open a page."""
        self._ask("POST", "/url", {"url": url})

    def click(self, selector: str, text: str = "") -> None:
        """Click on the first element that a CSS selector finds and that has this text."""
        for found in self._find(selector):
            if not text or self._ask("GET", f"/element/{found}/text") == text:
                self._ask("POST", f"/element/{found}/click", {})
                return
        raise AssertionError(f"no {selector} with {text!r} in: {self.text()}")

    def follow(self, selector: str, text: str = "") -> None:
        """Click on a link or button to another page, and wait until that page is loaded.

        The driver waits for links, but not for forms, which the browser sends a little later.
        """
        before = self._ask("GET", "/url")
        self.click(selector, text)
        deadline = time.monotonic() + 30
        while self._ask("GET", "/url") == before:
            if time.monotonic() > deadline:
                raise AssertionError(f"{selector} {text!r} leads nowhere from {before}")
            time.sleep(0.02)

    def type(self, selector: str, text: str) -> None:
        """Type into the first element that a CSS selector finds."""
        found, *_ = self._find(selector)
        self._ask("POST", f"/element/{found}/value", {"text": text})

    def texts(self, selector: str) -> list[str]:
        """Return the visible text of all elements that match a CSS selector."""
        return [self._ask("GET", f"/element/{found}/text") for found in self._find(selector)]

    def text(self) -> str:
        """Return all visible text."""
        return self.texts("body")[0]

    def evaluate(self, expression: str) -> Any:
        """Evaluate JavaScript; the driver may do so even if the page may not."""
        return self._ask("POST", "/execute/sync", {"script": f"return {expression}", "args": []})

    def set_width(self, width: int) -> None:
        """Set the width of the page in pixels; windows cannot be as narrow as phones."""
        screen = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 800}
        command = {"cmd": "Emulation.setDeviceMetricsOverride", "params": screen}
        self._ask("POST", "/goog/cdp/execute", command)

    def set_color_scheme(self, scheme: str) -> None:
        """Set the preferred colours: ``light`` or ``dark``."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        command = {"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}}
        self._ask("POST", "/goog/cdp/execute", command)

    def complaints(self) -> list[str]:
        """Return the browser's log: what it refused to load, or could not load."""
        entries = self._ask("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries]

    def _find(self, selector: str) -> list[str]:
        query = {"using": "css selector", "value": selector}
        return [found[_ELEMENT] for found in self._ask("POST", "/elements", query)]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                self._session = ""
                self._ask("GET", "/status")
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def _ask(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> Any:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            body = None if document is None else json.dumps(document)
            connection.request(method, self._session + path, body)
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if isinstance(answer["value"], dict) and "error" in answer["value"]:
            raise AssertionError(f"{method} {path}: {answer['value']['message']}")
        return answer["value"]
