"""Tests for the command line of ``minreg download``; ``e2e`` tests the download itself."""

import importlib
import os
from types import ModuleType
from typing import Any

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from minreg.cli import cli
from minreg.commands.download import _RetryReports
from minreg.fill.errors import UpstreamUnavailable
from minreg.fill.progress import Event, Retrying

NOWHERE = "http://127.0.0.1:1"


class DownloadCommandTests(SynchronousTestCase):
    """Tests for ``minreg.commands.download``."""

    def setUp(self) -> None:
        """Choose a directory for the tree."""
        self.root = self.mktemp()

    def run_download(self, *arguments: str, **more: Any) -> Result:
        """Run the command without retries."""
        command = ["download", "-d", self.root, "--retries", "0", *arguments]
        return CliRunner().invoke(cli, command, prog_name="minreg", **more)

    def check_usage(self, message: str, *arguments: str, **more: Any) -> None:
        """Check that the command line is refused, and that nothing was written."""
        result = self.run_download(*arguments, **more)
        self.assertEqual(result.exit_code, 2)
        self.assertIn(message, result.stderr)
        self.assertFalse(os.path.exists(self.root))

    def test_malformed_argument(self) -> None:
        """An argument that is not an image name is a usage error."""
        self.check_usage("Error: IMAGE:2: 'a b' is not an image name: ", "-s", "busybox", "a b")

    def test_malformed_line(self) -> None:
        """A line of a list that is not an image name is reported with its number."""
        path = self.mktemp()
        with open(path, "w", encoding="ascii") as file:
            file.write("# list\nbusybox\nUPPER:1\n")
        self.check_usage(f"Error: {path}:3: 'UPPER:1' is not an image name: ", "-s", "-f", path)

    def test_malformed_input(self) -> None:
        """A line of standard input is reported with its number too."""
        self.check_usage(
            "Error: standard input:1: 'a:b:c' is not an image name",
            "-s",
            "-f",
            "-",
            input="a:b:c\n",
        )

    def test_missing_list(self) -> None:
        """A list that does not exist is a usage error."""
        self.check_usage("does not exist", "-f", "/nowhere/list")

    def test_nothing(self) -> None:
        """A command without images is a usage error."""
        self.check_usage("there is nothing to download", "-s")

    def test_malformed_platform(self) -> None:
        """A malformed platform is a usage error that suggests a valid one."""
        self.check_usage("did you mean linux/amd64?", "-s", "busybox", "-p", "amd64")

    def test_malformed_host(self) -> None:
        """A URL instead of a host is a usage error."""
        self.check_usage("--plain-http: ", "-s", "busybox", "--plain-http", "http://x")

    def test_unreachable(self) -> None:
        """If a registry is unreachable, its image fails, and the exit status is 1."""
        result = self.run_download("-s", "127.0.0.1:1/a:1")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("127.0.0.1:1/a:1: FAILED: cannot connect to 127.0.0.1:1: ", result.output)
        self.assertTrue(result.stdout.endswith("--file:\n127.0.0.1:1/a:1\n"))
        self.assertIn("next: the same command again", result.stderr)
        self.assertNotIn("next:", self.run_download("-s", "127.0.0.1:1/a:1", "--json").stderr)

    def test_unreachable_channel(self) -> None:
        """If the channel server is unreachable, the exit status is 1."""
        result = self.run_download("--channel-url", NOWHERE)
        self.assertEqual(result.exit_code, 1)
        self.assertEqual(
            result.stderr,
            "Error: cannot connect to 127.0.0.1:1: it refuses connections "
            "(another port; proxy: http_proxy; mirror: --channel-url)\n",
        )
        self.assertEqual(
            result.stdout,
            "requesting the K3s release of channel stable from 127.0.0.1:1 (attempt 1 of 1)\n",
        )

    def test_malformed_url(self) -> None:
        """A mirror that is not a URL is a usage error."""
        for option in ("--channel-url", "--release-url"):
            self.check_usage(f"{option} 'nonsense' is not a URL", option, "nonsense")

    def test_image_with_scheme(self) -> None:
        """An image name with a scheme is a usage error."""
        self.check_usage("leave it out", "-s", "https://quay.io/a/b")

    def test_retries_are_shown_once(self) -> None:
        """A retry is shown once, however many transfers fail for the same reason."""
        events: list[Event] = []
        reports = _RetryReports(events.append)
        for attempt in (2, 2, 3):
            reports(attempt, 5, UpstreamUnavailable("gone"), 1.0)
        self.assertEqual(events, [Retrying("gone", 2, 5, 1.0), Retrying("gone", 3, 5, 1.0)])

    def test_dry_run(self) -> None:
        """A dry run writes nothing, also if it fails."""
        result = self.run_download("-s", "--dry-run", "127.0.0.1:1/a:1")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("would download 0 blobs (0 B)", result.output)
        self.assertFalse(os.path.exists(self.root))

    def test_without_optional_packages(self) -> None:
        """If a package is missing, the error says what to do."""

        def import_module(name: str) -> ModuleType:
            raise ModuleNotFoundError(f"No module for {name}", name="urllib3")

        self.patch(importlib, "import_module", import_module)
        result = self.run_download("-s", "busybox")
        self.assertEqual(result.exit_code, 2)
        self.assertEqual(
            result.stderr,
            "Error: minreg needs urllib3, which is not installed: reinstall minreg; without "
            "a network, from its wheels: pip install --no-index --find-links wheels minreg\n",
        )
