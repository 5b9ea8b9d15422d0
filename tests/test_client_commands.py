"""Tests for ``minreg missing`` and ``minreg status``, with fake responses."""

import io
import json
import os
import socket
import ssl
import subprocess
import sys
import urllib.request
from email.message import Message
from http.client import BadStatusLine, InvalidURL
from typing import Any
from urllib.error import HTTPError, URLError

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from minreg.cli import cli
from minreg.commands import status
from minreg.commands.client import check_url, choose_url
from minreg.commands.reports import WrongUsage


class MissingCommandTests(SynchronousTestCase):
    """Tests for ``minreg missing``."""

    def setUp(self) -> None:
        """Create a fake registry."""
        self.asked: list[str] = []
        self.answer: bytes | Exception = b""

        def fetch(_opener: Any, url: str, **_options: Any) -> io.BytesIO:
            self.asked.append(url)
            if isinstance(self.answer, Exception):
                raise self.answer
            return io.BytesIO(self.answer)

        self.patch(urllib.request.OpenerDirector, "open", fetch)

    def run_missing(self, *arguments: str) -> Result:
        """Run the command."""
        return CliRunner().invoke(cli, ["missing", *arguments], prog_name="minreg")

    def test_list(self) -> None:
        """By default, the registry on this node is requested for its list."""
        self.answer = "docker.io/a:1  # é\ndocker.io/b:1\n".encode()
        result = self.run_missing()
        self.assertEqual((result.exit_code, result.stdout), (0, self.answer.decode()))
        self.assertEqual(self.asked, ["http://127.0.0.1:9080/minreg/missing?format=list"])

    def test_json(self) -> None:
        """Another registry can be named; with --json, all details are printed."""
        self.answer = b'{"missing": []}\n'
        result = self.run_missing("--url", "https://node:9443/", "--json")
        self.assertEqual(result.output, '{"missing": []}\n')
        self.assertEqual(self.asked, ["https://node:9443/minreg/missing?format=json"])

    def test_hostile(self) -> None:
        """Control characters in the response are escaped."""
        self.answer = b"\x1b[2Jx\x85\xff\n"
        self.assertTrue(self.run_missing().stdout.rstrip("\n").isprintable())

    def test_no_answer(self) -> None:
        """A registry that does not respond is one line, and status 1."""
        self.answer = URLError(ConnectionRefusedError(111, "Connection refused"))
        result = self.run_missing("--url", "http://127.0.0.1:1")
        self.assertEqual(result.exit_code, 1)
        self.assertEqual(
            result.stderr,
            "Error: http://127.0.0.1:1 does not respond: Connection refused: "
            "name the registry with --url\n",
        )

    def test_reasons(self) -> None:
        """The reason why there is no response is in plain words."""
        for error, reason in (
            (URLError(socket.gaierror(-2, "x")), "the host name cannot be resolved"),
            (TimeoutError("timed out"), "no response within 10 seconds"),
            (URLError(ssl.SSLError(1, "[SSL: X] y")), "the certificate is not trusted"),
            (BadStatusLine("x"), "the response is not HTTP"),
            (InvalidURL("nonnumeric port"), "this is not a valid URL"),
        ):
            self.answer = error
            self.assertIn(reason, self.run_missing().stderr)

    def test_choose_url(self) -> None:
        """The default URL: the variable, the status socket, or the port of this machine."""
        path = self.mktemp()
        for environment, url in (
            ({}, "http://127.0.0.1:9080"),
            ({"MINREG_PORT": "5000"}, "http://127.0.0.1:5000"),
            ({"MINREG_PORT": "5000", "MINREG_URL": "http://a"}, "http://a"),
        ):
            self.assertEqual(choose_url(environment, path), url)
        with open(path, "w", encoding="ascii"):
            self.assertEqual(choose_url({}, path), f"unix:{path}")
        error = self.assertRaises(WrongUsage, choose_url, {"MINREG_PORT": "x"}, path)
        self.assertIn("MINREG_PORT 'x' is not a port", error.message)

    def test_check_url(self) -> None:
        """A URL whose port is invalid is refused."""
        for url in ("http://127.0.0.1:99999", "http://a:0", "http://a:b", "http://[::1"):
            error = self.assertRaises(WrongUsage, check_url, url)
            self.assertIn(f"--url {url} is not a URL", error.message)
        self.assertEqual(check_url("https://[::1]:9080/"), "https://[::1]:9080")
        for environment in ({"MINREG_PORT": "0"}, {"MINREG_PORT": "65536"}):
            self.assertRaises(WrongUsage, choose_url, environment)
        error = self.assertRaises(WrongUsage, choose_url, {"MINREG_URL": "a:1"})
        self.assertIn("MINREG_URL a:1 is not a URL", error.message)

    def test_refused(self) -> None:
        """A URL without a not-found log is refused."""
        self.answer = HTTPError("x", 404, "Not Found", Message(), None)
        result = self.run_missing()
        self.assertEqual(result.exit_code, 1)
        self.assertIn("responds with status 404", result.stderr)

    def test_no_url(self) -> None:
        """Text that is not a URL is invalid usage."""
        for url in ("127.0.0.1:9080", "file:///etc/passwd"):
            result = self.run_missing("--url", url)
            self.assertEqual((result.exit_code, self.asked), (2, []))


_DOCUMENT = {
    "version": "1.2.3",
    "root": "/srv/registry",
    "started": "2026-11-24T03:31:57Z",
    "uptime_seconds": 93784,
    "listeners": ["http://127.0.0.1:9080", "unix:/run/minreg/registry.sock"],
    "workers": 2,
    "ready": True,
    "checks": {"root": "ok", "listener": "ok", "draining": "ok"},
    "repositories": 45,
    "images": 123,
    "counts_complete": True,
    "missing": 2,
    "connections": 1,
    "transfers": 1,
}


class StatusCommandTests(SynchronousTestCase):
    """Tests for ``minreg.commands.status``."""

    def setUp(self) -> None:
        """Create a fake registry."""
        self.asked: list[str] = []
        self.document: dict[str, Any] = dict(_DOCUMENT)
        self.error: Exception | None = None
        self.content: bytes | None = None

        def fetch(_opener: Any, url: str, **_options: Any) -> io.BytesIO:
            self.asked.append(url)
            if self.error is not None:
                raise self.error
            return io.BytesIO(self.content or json.dumps(self.document).encode())

        self.patch(urllib.request.OpenerDirector, "open", fetch)
        self.patch(status, "_UNIT", os.path.join(self.mktemp(), "minreg.service"))

    def status(self, *arguments: str) -> Result:
        """Run the command."""
        return CliRunner().invoke(cli, ["status", *arguments], prog_name="minreg")

    def test_ready(self) -> None:
        """The output fits on a screen, and the exit status is 0."""
        result = self.status()
        self.assertEqual(
            result.output,
            "minreg 1.2.3 is running and ready\n"
            "  root        /srv/registry\n"
            "  listens on  http://127.0.0.1:9080, unix:/run/minreg/registry.sock\n"
            "  uptime      1 day 2 hours, since 2026-11-24T03:31:57Z\n"
            "  processes   2\n"
            "  images      123 images in 45 repositories\n"
            "  not found   2 names that clients requested (list them: minreg missing)\n",
        )
        self.assertEqual(result.exit_code, 0)
        self.assertEqual(self.asked, ["http://127.0.0.1:9080/minreg/status"])

    def test_json(self) -> None:
        """With --json, the output is the registry's document, with its URL."""
        result = self.status("--json", "--url", "https://node:9443/")
        self.assertEqual(
            json.loads(result.stdout), {"running": True, "url": "https://node:9443", **_DOCUMENT}
        )
        self.assertEqual(result.exit_code, 0)

    def test_large(self) -> None:
        """If the counts are not complete, the output says "at least"."""
        self.document |= {"counts_complete": False, "missing": 0, "uptime_seconds": 0}
        output = self.status().stdout
        self.assertIn("at least 123 images in 45 repositories\n", output)
        self.assertIn("  0 names that clients requested\n", output)
        self.assertIn("  0 seconds, since", output)

    def test_not_ready(self) -> None:
        """For a registry that is not ready, the reason is printed; the exit status is 1."""
        checks = {"root": "root /srv/registry is still empty", "listener": "ok"}
        self.document |= {"ready": False, "checks": checks, "images": None, "repositories": None}
        result = self.status()
        self.assertEqual(result.exit_code, 1)
        first, second, *_ = result.stdout.splitlines()
        self.assertEqual(first, "minreg 1.2.3 is running and not ready")
        self.assertEqual(second, "  root /srv/registry is still empty")
        self.assertIn("images      not known\n", result.stdout)

    def test_not_running(self) -> None:
        """If nothing listens, the message says how to start a registry; the exit status is 3."""
        self.error = URLError(ConnectionRefusedError(111, "Connection refused"))
        result = self.status()
        self.assertEqual(
            result.stdout,
            "minreg is not running\n"
            "  http://127.0.0.1:9080: Connection refused\n"
            "  to start it:  minreg serve --root DIR\n"
            "  elsewhere:    minreg status --url URL\n",
        )
        self.assertEqual((result.exit_code, result.stderr), (3, ""))
        document = json.loads(self.status("--json").stdout)
        self.assertEqual(
            document,
            {"running": False, "url": "http://127.0.0.1:9080", "reason": "Connection refused"},
        )

    def test_installed(self) -> None:
        """If its unit is installed, the suggestion is systemctl."""
        os.makedirs(os.path.dirname(status._UNIT))
        with open(status._UNIT, "w", encoding="utf-8"):
            pass
        self.error = URLError(ConnectionRefusedError(111, "Connection refused"))
        self.assertIn("systemctl start minreg.socket minreg\n", self.status().stdout)

    def test_socket(self) -> None:
        """If the socket does not exist, the registry is not running."""
        result = self.status("--url", f"unix:{os.path.abspath(self.mktemp())}")
        self.assertEqual(result.exit_code, 3)
        self.assertIn("No such file or directory", " ".join(result.stdout.split()))

    def test_unknown(self) -> None:
        """If another program responds, or none in time, the exit status is 4."""
        refused = Message()
        refused["Server"] = "nginx/1.27"
        ours = Message()
        ours["Server"] = "minreg/0.1.0"
        for error, words in (
            (
                HTTPError("x", 404, "Not Found", refused, None),
                "the response (404) is from nginx/1.27, not from",
            ),
            (
                HTTPError("x", 404, "Not Found", ours, None),
                "its status is at its --status-listen address",
            ),
            (URLError(TimeoutError("timed out")), "no response within 10 seconds"),
            (URLError(PermissionError(13, "Permission denied")), "Permission denied"),
        ):
            self.error = error
            result = self.status()
            self.assertEqual(result.exit_code, 4, result.output)
            self.assertIn(words, " ".join(result.stdout.split()))
            self.assertIsNone(json.loads(self.status("--json").stdout)["running"])
        self.error = None
        for content in (b"<html>", b"[]", b"{}", b"\xff"):
            self.content = content
            self.assertEqual(self.status().exit_code, 4)

    def test_hostile(self) -> None:
        """Control characters in the response are escaped."""
        self.document |= {"version": "\x1b[2J", "root": "\x1b]0;x\x07", "started": "\x1b[0m"}
        self.assertNotIn("\x1b", self.status().stdout)

    def test_usage(self) -> None:
        """Text that is not a URL is invalid usage."""
        result = self.status("--url", "127.0.0.1:9080")
        self.assertEqual((result.exit_code, self.asked), (2, []))

    def test_light(self) -> None:
        """The command imports no large library."""
        program = (
            "import sys; from minreg.cli import main; sys.argv[0] = 'minreg'\n"
            "try: main()\n"
            "finally: print({name.partition('.')[0] for name in sys.modules})"
        )
        listed = subprocess.run(
            [sys.executable, "-c", program, "status", "--help"],
            check=True,
            capture_output=True,
            text=True,
        )
        self.assertIn("Usage: minreg status", listed.stdout)
        for name in ("twisted", "rich", "urllib3", "yaml", "cryptography"):
            self.assertNotIn(f"'{name}'", listed.stdout)
