"""Tests for ``minreg missing``, with fake responses."""

import io
import socket
import ssl
import urllib.request
from email.message import Message
from http.client import BadStatusLine, InvalidURL
from typing import Any
from urllib.error import HTTPError, URLError

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from minreg.cli import cli
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
