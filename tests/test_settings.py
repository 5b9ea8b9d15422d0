"""Tests for ``minreg.settings``."""

import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.settings import (
    ListenEndpoint,
    SettingInvalid,
    check_directory,
    check_later_root,
    check_root,
    parse_alias,
    parse_log_format,
    parse_workers,
    tcp_endpoint,
)


class CheckRootTests(SynchronousTestCase):
    """Tests for ``check_root``."""

    def test_directory(self) -> None:
        """The root is an absolute path."""
        root = self.mktemp()
        os.makedirs(root)
        self.assertEqual(check_root(root), os.path.abspath(root))

    def test_missing(self) -> None:
        """Without a root, there is an error."""
        error = self.assertRaises(SettingInvalid, check_root, None)
        self.assertIn("--root is missing", str(error))

    def test_absent(self) -> None:
        """If the root does not exist, the error names it."""
        path = os.path.abspath(self.mktemp())
        error = self.assertRaises(SettingInvalid, check_root, path)
        self.assertEqual(
            str(error),
            f"--root {path} does not exist: unpack the registry tree there, "
            "or start with --wait-for-root",
        )

    def test_file(self) -> None:
        """A file cannot be the root."""
        path = os.path.abspath(self.mktemp())
        with open(path, "wb"):
            pass
        error = self.assertRaises(SettingInvalid, check_root, path)
        self.assertIn("is not a directory", str(error))

    def test_unreadable(self) -> None:
        """A root without read permission is refused, with the command that fixes it."""
        root = os.path.abspath(self.mktemp())
        os.makedirs(root)
        self.patch(os, "access", lambda _path, _mode: False)
        error = self.assertRaises(SettingInvalid, check_root, root)
        self.assertIn("chmod a+rX", str(error))


class CheckAwaitedRootTests(SynchronousTestCase):
    """Tests for ``check_later_root``."""

    def test_absent(self) -> None:
        """A root may not exist yet."""
        root = self.mktemp()
        self.assertEqual(check_later_root(root), os.path.abspath(root))

    def test_wrong(self) -> None:
        """No root at all, or a file, is an error."""
        path = self.mktemp()
        with open(path, "wb"):
            pass
        for wrong, words in ((None, "--root is missing"), (path, "is not a directory")):
            error = self.assertRaises(SettingInvalid, check_later_root, wrong)
            self.assertIn(words, str(error))


class CheckDirectoryTests(SynchronousTestCase):
    """Tests for ``check_directory``."""

    def test_directory(self) -> None:
        """A directory that exists is accepted."""
        self.assertEqual(check_directory("."), os.getcwd())

    def test_absent(self) -> None:
        """A directory that does not exist is refused."""
        error = self.assertRaises(SettingInvalid, check_directory, self.mktemp())
        self.assertIn("--allow-links-to", str(error))


class ParseAliasTests(SynchronousTestCase):
    """Tests for ``parse_alias``."""

    def test_alias(self) -> None:
        """Both sides are registry hosts, and are normalized."""
        self.assertEqual(
            parse_alias("Registry.Local:443=index.docker.io"), ("registry.local", "docker.io")
        )

    def test_malformed(self) -> None:
        """Text that is not NAME=HOST is refused with an example."""
        for text in ("registry.local", "=docker.io", "a=", "a/b=docker.io", "a=b c"):
            error = self.assertRaises(SettingInvalid, parse_alias, text)
            self.assertIn("bootstrap-registry.airgap=docker.io", str(error))


class ParseLogFormatTests(SynchronousTestCase):
    """Tests for ``parse_log_format``."""

    def test_known(self) -> None:
        """There are two formats."""
        self.assertEqual([parse_log_format("text"), parse_log_format("json")], ["text", "json"])

    def test_unknown(self) -> None:
        """An unknown format is refused, with the names of the two formats."""
        error = self.assertRaises(SettingInvalid, parse_log_format, "xml")
        self.assertEqual(str(error), "--log-format 'xml' is unknown: use text or json")


class TcpEndpointTests(SynchronousTestCase):
    """Tests for ``tcp_endpoint``."""

    def test_defaults(self) -> None:
        """By default, the registry listens on port 9080 of the loopback interface."""
        self.assertEqual(
            tcp_endpoint(None, None),
            ListenEndpoint(
                "--port 9080 --interface 127.0.0.1",
                "tcp:9080:interface=127.0.0.1:backlog=1024",
            ),
        )

    def test_version_6(self) -> None:
        """An IPv6 address is quoted as Twisted requires."""
        description = tcp_endpoint("80", "::1").description
        self.assertEqual(description, r"tcp:80:interface=\:\:1:backlog=1024")

    def test_not_a_port(self) -> None:
        """Text that is not a port is refused."""
        for port in ("", "x", "-1", "65536", "1e3", "٣", "123456"):
            error = self.assertRaises(SettingInvalid, tcp_endpoint, port, None)
            self.assertIn("is not a port", str(error))

    def test_not_an_interface(self) -> None:
        """Text that is not an IP address is refused."""
        error = self.assertRaises(SettingInvalid, tcp_endpoint, None, "eth0")
        self.assertIn("--interface 'eth0' is not an IP address", str(error))


class ParseWorkersTests(SynchronousTestCase):
    """Tests for ``parse_workers``."""

    def test_number(self) -> None:
        """A number is accepted, and ``auto`` is the number of processors."""
        self.assertEqual(parse_workers("3"), 3)
        self.assertEqual(parse_workers("auto"), len(os.sched_getaffinity(0)))

    def test_wrong(self) -> None:
        """Anything else is refused, with the valid values."""
        for text in ("0", "65", "-1", "two", ""):
            error = self.assertRaises(SettingInvalid, parse_workers, text)
            self.assertIn("use 1 to 64, or auto", str(error))
