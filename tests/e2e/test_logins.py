"""Tests for downloads from a real registry that requires a login."""

import base64
import json
import os
import subprocess
import sys
from threading import Event as Signal

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.download import Download, Network
from minreg.fill.progress import Event, ImageEnded
from minreg.fill.resolve import Selection
from minreg.fill.tree.writer import TreeWriter
from minreg.fill.upstream.registry import Upstreams
from minreg.fill.upstream.retries import Retries
from minreg.fill.upstream.transport import Transport
from minreg.oci.names import ImageReference
from tests.e2e.programs import need_programs
from tests.e2e.real_registry import Layout, start_registry
from tests.e2e.token_server import TokenServer

_ACCOUNT = "alice:secret"


def log_in(home: str, host: str, account: str) -> None:
    """Write an account (``name:password``) to the file that docker login writes."""
    path = os.path.join(home, ".docker")
    os.mkdir(path)
    auth = base64.b64encode(account.encode()).decode("ascii")
    with open(os.path.join(path, "config.json"), "w", encoding="ascii") as file:
        json.dump({"auths": {host: {"auth": auth}}}, file)


class TokenTests(SynchronousTestCase):
    """Tests for a download where each request needs a token."""

    def setUp(self) -> None:
        """Start a token server, and a registry that trusts it, with one image."""
        need_programs("openssl")
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)
        self.tokens = TokenServer(os.path.join(self.directory, "tokens")).__enter__()
        self.addCleanup(self.tokens.__exit__)
        storage = os.path.join(self.directory, "upstream")
        # The image is pushed while everybody may, into the storage that is closed then.
        registry = start_registry(storage)
        layout = Layout(os.path.join(self.directory, "layout"))
        layout.write_index([layout.write_image("amd64", [os.urandom(1000) for _ in range(4)])])
        registry.push(layout.directory, "a/b:1")
        registry.stop()
        self.registry = start_registry(storage, self.tokens.configuration)
        self.addCleanup(self.registry.stop)
        self.environment = {"HOME": self.directory}

    def download(self) -> str:
        """Download the image, and return why it failed."""
        events: list[Event] = []
        transport, stop = Transport(), Signal()
        retries = Retries(1, stop, lambda _: False)
        upstreams = Upstreams(transport, retries, self.environment)
        network = Network(transport, upstreams, retries, stop, 4)
        root = os.path.join(self.directory, "registry")
        with TreeWriter(root, "a test") as tree:
            download = Download(root, network, Selection(), events.append)
            download.run([ImageReference.parse(f"{self.registry.host}/a/b:1")], tree)
        [ended] = [event for event in events if isinstance(event, ImageEnded)]
        return ended.reason

    def test_anonymous(self) -> None:
        """One token serves all requests to a repository, from all threads."""
        self.assertEqual(self.download(), "")
        self.assertEqual(self.tokens.scopes, ["repository:a/b:pull"])

    def test_account(self) -> None:
        """The account of docker login is sent to the token server."""
        self.tokens.account = _ACCOUNT
        log_in(self.directory, self.registry.host, _ACCOUNT)
        self.assertEqual(self.download(), "")

    def test_no_account(self) -> None:
        """Without the account, the message has the fix."""
        self.tokens.account = _ACCOUNT
        self.assertIn(f"docker login {self.registry.host}", self.download())

    def test_wrong_password(self) -> None:
        """With a wrong password, the message has the fix too."""
        self.tokens.account = _ACCOUNT
        log_in(self.directory, self.registry.host, "alice:wrong")
        self.assertIn("answered with status 401; check the account", self.download())

    def test_expired(self) -> None:
        """Tokens that are expired when they arrive are an error; valid ones work later."""
        # docker-registry allows for clocks that differ by a minute.
        self.tokens.life = -120
        self.assertIn("the login is not accepted", self.download())
        self.tokens.life = 300
        self.assertEqual(self.download(), "")


class BasicTests(SynchronousTestCase):
    """Tests for a registry that requires name and password in each request."""

    def setUp(self) -> None:
        """Start the registry with one image, without an account."""
        need_programs("htpasswd")
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)
        storage = os.path.join(self.directory, "upstream")
        registry = start_registry(storage)
        layout = Layout(os.path.join(self.directory, "layout"))
        layout.write_index([layout.write_image("amd64", [os.urandom(1000)])])
        registry.push(layout.directory, "a:1")
        registry.stop()
        passwords = os.path.join(self.directory, "passwords")
        subprocess.run(
            ["htpasswd", "-Bbc", passwords, "alice", "secret"], check=True, capture_output=True
        )
        self.registry = start_registry(
            storage, f"auth: {{htpasswd: {{realm: x, path: {passwords}}}}}\n"
        )
        self.addCleanup(self.registry.stop)

    def download(self) -> "subprocess.CompletedProcess[str]":
        """Run the command, without retries."""
        return subprocess.run(
            [
                *(sys.executable, "-m", "minreg", "download", "-s", f"{self.registry.host}/a:1"),
                *("--retries", "0", "-d", os.path.join(self.directory, "registry")),
            ],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "HOME": self.directory},
        )

    def test_no_account(self) -> None:
        """Without an account, the message has the fix."""
        done = self.download()
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"demands a login; run docker login {self.registry.host}", done.stdout)

    def test_account(self) -> None:
        """The command reads the account of docker login, the second time as well."""
        log_in(self.directory, self.registry.host, "alice:secret")
        for _ in range(2):
            done = self.download()
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertRegex(done.stderr, r"\Anext: .+\n  or: .+\n\Z")
