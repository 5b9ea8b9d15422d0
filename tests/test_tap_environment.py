"""Tests for the daemon's options as environment variables, and for suggestions."""

import os

from click.testing import CliRunner

from minreg.cli import cli
from minreg.options import DAEMON_OPTIONS, find_misspelled
from minreg.settings import Settings
from minreg.tap import Options
from tests.test_tap import OptionsTestCase


class EnvironmentTests(OptionsTestCase):
    """Tests for ``MINREG_…`` variables."""

    def settings(self, *arguments: str, **environment: str) -> Settings:
        """Parse a command line with an environment."""
        options = Options({f"MINREG_{name}": text for name, text in environment.items()})
        options.parseOptions(arguments)
        return options.settings

    def refusal(self, *arguments: str, **environment: str) -> str:
        """Return the one line with which a command line and an environment are refused."""
        self.complaints.seek(0)
        self.complaints.truncate()
        stop = self.assertRaises(SystemExit, self.settings, *arguments, **environment)
        self.assertEqual(stop.code, 2)
        complaint = self.complaints.getvalue()
        self.assertEqual(complaint.count("\n"), 1)
        return complaint

    def test_names(self) -> None:
        """Each option has a variable."""
        self.assertEqual(
            [option.variable for option in DAEMON_OPTIONS],
            [
                "MINREG_ROOT",
                "MINREG_PORT",
                "MINREG_INTERFACE",
                "MINREG_LISTEN",
                "MINREG_LOG_FORMAT",
                "MINREG_REGISTRY_ALIAS",
                "MINREG_ALLOW_LINKS_TO",
                "MINREG_WORKERS",
                "MINREG_STATUS_LISTEN",
                "MINREG_NO_PAGE",
                "MINREG_WAIT_FOR_ROOT",
            ],
        )

    def test_all(self) -> None:
        """Every variable has the effect of its option."""
        settings = self.settings(
            ROOT=self.root,
            PORT="5000",
            INTERFACE="::1",
            LOG_FORMAT="json",
            REGISTRY_ALIAS="a.example=quay.io  b.example=ghcr.io",
            ALLOW_LINKS_TO="/ '/proc'",
            WORKERS="2",
            STATUS_LISTEN="tcp:9081",
            NO_PAGE="1",
            WAIT_FOR_ROOT="yes",
        )
        self.assertEqual(settings.root, self.root)
        [endpoint] = settings.listen
        self.assertEqual(endpoint.words, "MINREG_PORT 5000 MINREG_INTERFACE ::1")
        self.assertEqual(endpoint.description, r"tcp:5000:interface=\:\:1:backlog=1024")
        self.assertEqual(settings.log_format, "json")
        self.assertEqual(
            settings.aliases,
            {
                "bootstrap-registry.airgap": "docker.io",
                "a.example": "quay.io",
                "b.example": "ghcr.io",
            },
        )
        self.assertEqual(settings.allow_links_to, ("/", "/proc"))
        self.assertEqual(settings.workers, 2)
        assert settings.status_listen is not None
        self.assertEqual(settings.status_listen.words, "MINREG_STATUS_LISTEN tcp:9081")
        self.assertEqual((settings.has_page, settings.waits_for_root), (False, True))

    def test_command_line_wins(self) -> None:
        """The command line overrides the variable; an empty variable is ignored."""
        settings = self.settings(
            f"--root={self.root}",
            "--log-format=text",
            "--registry-alias=a.example=quay.io",
            ROOT="/nowhere",
            LOG_FORMAT="json",
            REGISTRY_ALIAS="b.example=ghcr.io",
            WORKERS="",
            NO_PAGE="0",
        )
        self.assertEqual((settings.root, settings.log_format), (self.root, "text"))
        self.assertEqual(set(settings.aliases), {"bootstrap-registry.airgap", "a.example"})
        self.assertEqual((settings.workers, settings.has_page), (1, True))

    def test_listen(self) -> None:
        """If the command line has an endpoint or a port, the variables for both are ignored."""

        def listen(*arguments: str, **environment: str) -> list[str]:
            settings = self.settings("--root", self.root, *arguments, **environment)
            return [
                endpoint.description.partition(":interface")[0] for endpoint in settings.listen
            ]

        self.assertEqual(listen(LISTEN="tcp:1 unix:/x"), ["tcp:1", "unix:/x"])
        self.assertEqual(listen("--listen=tcp:1", PORT="2", LISTEN="tcp:3"), ["tcp:1"])
        self.assertEqual(listen("--port=2", LISTEN="tcp:3"), ["tcp:2"])
        self.assertEqual(listen("--port=2", INTERFACE="::1", LISTEN="tcp:3"), ["tcp:2"])
        self.assertIn(
            "MINREG_LISTEN cannot be used together with MINREG_PORT: remove MINREG_PORT",
            self.refusal("--root", self.root, LISTEN="tcp:1", PORT="2"),
        )

    def test_wrong(self) -> None:
        """An invalid value is reported with its variable."""
        for environment, start in (
            ({"ROOT": "/nowhere"}, "MINREG_ROOT /nowhere does not exist"),
            ({"PORT": "x"}, "MINREG_PORT 'x' is not a port"),
            ({"INTERFACE": "x"}, "MINREG_INTERFACE 'x' is not an IP address"),
            ({"LISTEN": "'tcp:1"}, "MINREG_LISTEN cannot be split into values"),
            ({"LISTEN": "systemd"}, "MINREG_LISTEN systemd: systemd has passed no such socket"),
            ({"LOG_FORMAT": "x"}, "MINREG_LOG_FORMAT 'x' is unknown"),
            ({"REGISTRY_ALIAS": "x"}, "MINREG_REGISTRY_ALIAS 'x' is not NAME=HOST"),
            ({"ALLOW_LINKS_TO": "/nowhere"}, "MINREG_ALLOW_LINKS_TO /nowhere is not a directory"),
            ({"WORKERS": "x"}, "MINREG_WORKERS 'x' is not a number of processes"),
            ({"STATUS_LISTEN": "systemd"}, "MINREG_STATUS_LISTEN systemd: systemd has passed"),
            ({"NO_PAGE": "x"}, "MINREG_NO_PAGE 'x' is neither 1 nor 0"),
            ({"WAIT_FOR_ROOT": "x"}, "MINREG_WAIT_FOR_ROOT 'x' is neither 1 nor 0"),
        ):
            complaint = self.refusal(**{"ROOT": self.root, **environment})
            self.assertTrue(complaint.startswith(f"minreg: {start}"), complaint)
        self.assertIn("set MINREG_ROOT", self.refusal())


class MisspelledVariableTests(EnvironmentTests):
    """Tests for ``find_misspelled``, and for where its warnings are printed."""

    def test_warnings(self) -> None:
        """A variable that is almost one of minreg has no effect, which is said."""
        environment = {
            "MINREG_ROTO": "/x",
            "MINREG_ALLOW_LINKS": "/x",
            "MINREG_LOGFORMAT": "",
            "MINREG_URL": "http://127.0.0.1:1",
            "MINREG_OPTIONS": "--no-page",
            "MINREG_PORT": "1",
            "MINREG_PORT_9080_TCP_ADDR": "10.43.0.7",
            "MINREG_SERVICE_PORT": "9080",
            "MINREG_RO\nOT": "x",
            "MINREG_SOAK": "1",
            "ROTO": "x",
        }
        end = "is not a variable of minreg, and has no effect: did you mean "
        self.assertEqual(
            find_misspelled(environment),
            [
                f"MINREG_ALLOW_LINKS {end}MINREG_ALLOW_LINKS_TO?",
                f"MINREG_ROTO {end}MINREG_ROOT?",
            ],
        )

    def test_daemon(self) -> None:
        """The daemon warns, and starts, or says what it lacks."""
        line = (
            "minreg: warning: MINREG_ROTO is not a variable of minreg, and has no effect: did you "
            "mean MINREG_ROOT?\n"
        )
        self.settings(ROOT=self.root, ROTO="/x")
        self.assertEqual(self.complaints.getvalue(), line)
        self.assertRaises(SystemExit, self.settings, ROTO="/x")
        self.assertIn(f"{line}{line}minreg: --root is missing", self.complaints.getvalue())

    def test_commands(self) -> None:
        """A command warns on standard error; serve warns as the daemon."""
        environment = {"MINREG_ROTO": self.root}
        result = CliRunner().invoke(cli, ["list", "-d", self.root], env=environment)
        self.assertTrue(
            result.stderr.startswith("warning: MINREG_ROTO is not a variable of minreg"),
            result.stderr,
        )
        self.assertNotIn("MINREG_ROTO", result.stdout)
        CliRunner().invoke(cli, ["serve", "--root", "/nowhere"], env=environment)
        self.assertEqual(self.complaints.getvalue().count("MINREG_ROTO"), 1)


class SuggestionTests(EnvironmentTests):
    """Tests for suggestions."""

    def test_option(self) -> None:
        """A similar option is suggested, if there is one."""
        self.assertIn("option --rot not recognized: did you mean --root?", self.refusal("--rot=x"))
        self.assertNotIn("did you mean", self.refusal("--frobnicate"))

    def test_directory(self) -> None:
        """For an argument without an option, ``--root`` is suggested."""
        self.assertIn("name the tree with --root tree", self.refusal("tree"))

    def test_serve(self) -> None:
        """``minreg serve`` has the same suggestions."""
        for words, text in (
            (["serve", "tree"], "name the tree with --root tree"),
            (["serve", "--root", "/nowhere"], "--root /nowhere does not exist"),
        ):
            self.complaints.seek(0)
            self.complaints.truncate()
            result = CliRunner().invoke(cli, words)
            self.assertEqual(result.exit_code, 2)
            self.assertIn(text, self.complaints.getvalue())
        self.assertIn("--root", CliRunner().invoke(cli, ["serve", "--rot=x"]).output)

    def test_serve_help(self) -> None:
        """The help of ``minreg serve`` has each option."""
        text = CliRunner().invoke(cli, ["serve", "--help"]).output
        for option in DAEMON_OPTIONS:
            self.assertIn(f"--{option.name}", text)
        self.assertIn("MINREG_ROOT", text)

    def test_repeatable_help(self) -> None:
        """The help of twistd for repeatable options is that of the table."""
        for option in DAEMON_OPTIONS:
            if option.is_repeatable:
                method = getattr(Options, f"opt_{option.name.replace('-', '_')}")
                self.assertEqual(method.__doc__, option.help)


class ProcessEnvironmentTests(OptionsTestCase):
    """Tests for the default environment."""

    def test_process(self) -> None:
        """By default, it is the environment of the process."""
        self.patch(os, "environ", {**os.environ, "MINREG_ROOT": self.root})
        options = Options()
        options.parseOptions([])
        self.assertEqual(options.settings.root, self.root)
