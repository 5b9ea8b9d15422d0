"""Tests for ``minreg registries``."""

import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.commands import trees
from minreg.k3s.registries.registries_yaml import read_registries
from tests.test_cli import run

ALIAS = "bootstrap-registry.airgap"
MINREG = "http://127.0.0.1:9080"


class RegistriesTestCase(SynchronousTestCase):
    """A directory with a tree and other files."""

    def setUp(self) -> None:
        """Create the directory."""
        self.directory = os.path.abspath(self.mktemp())
        self.tree = f"{self.directory}/registry"
        os.makedirs(self.tree)
        self.patch(trees, "NODE_TREES", ())

    def add(self, *places: str) -> None:
        """Add repositories to the tree."""
        for place in places:
            os.makedirs(f"{self.tree}/{place}/manifests")

    def write(self, name: str, text: str) -> str:
        """Write a file, and return its path."""
        path = f"{self.directory}/{name}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def read(self, path: str) -> str:
        """Read a file."""
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()

    def run_for(self, *arguments: str, status: int = 0) -> tuple[str, str]:
        """Run the command, and return its standard output and standard error."""
        result = run("registries", *arguments)
        self.assertEqual(result.exit_code, status, result.output)
        return result.stdout, result.stderr

    def mirrors(self, text: str) -> dict[str, list[str]]:
        """Return the endpoints of each mirror of a file."""
        registries, problems = read_registries(text.encode())
        self.assertEqual(problems, [])
        return {
            name: [word.text for word in mirror.endpoints]
            for name, mirror in registries.mirrors.items()
        }


class ChoosingTests(RegistriesTestCase):
    """Tests for the content of the file."""

    def test_tree_with_hosts(self) -> None:
        """It has K3s' own registry, each host of the tree, and the named ones."""
        self.add("quay.io/a/b", "docker.io/library/busybox", "localhost:5000/c")
        text, notes = self.run_for("-d", self.tree, "ghcr.io", "quay.io")
        names = [ALIAS, "docker.io", "localhost:5000", "quay.io", "ghcr.io"]
        self.assertEqual(self.mirrors(text), {name: [MINREG] for name in names})
        self.assertEqual(list(self.mirrors(text)), names)
        self.assertEqual(notes, "")

    def test_tree_without_hosts(self) -> None:
        """If a tree has no host names, a note says to name the registries."""
        self.add("rancher/mirrored-pause")
        text, notes = self.run_for("-d", self.tree)
        self.assertEqual(self.mirrors(text), {ALIAS: [MINREG]})
        self.assertIn("name them, or use --wildcard", notes)
        self.assertEqual(self.run_for("-d", self.tree, "docker.io")[1], "")

    def test_empty_tree(self) -> None:
        """A directory that is not a tree is reported."""
        self.assertIn(f"{self.tree} has no repository\n", self.run_for("-d", self.tree)[1])

    def test_wildcard(self) -> None:
        """With --wildcard, there is one entry for all registries."""
        text, _ = self.run_for("--wildcard")
        self.assertEqual(self.mirrors(text), {"*": [MINREG]})

    def test_system_default_registry(self) -> None:
        """K3s' registry may have another name, of which a note says to make it an alias."""
        text, notes = self.run_for("--system-default-registry", "k3s.local", "quay.io")
        self.assertEqual(list(self.mirrors(text)), ["k3s.local", "quay.io"])
        self.assertIn("--registry-alias k3s.local=docker.io", notes)

    def test_endpoints(self) -> None:
        """Endpoints keep their order, with their settings below their hosts."""
        other = "https://example.com:5000"
        text, _ = self.run_for(
            *("quay.io", "--endpoint", MINREG, "--endpoint", f"{other}/v2", "--endpoint", other),
            *("--ca-file", "/ca.pem", "--cert-file", "/c.pem", "--key-file", "/k.pem"),
            *("--insecure-skip-verify", "--username", "u"),
            *("--password-file", self.write("password", "p\n")),
        )
        self.assertEqual(self.mirrors(text)["quay.io"], [MINREG, other])
        config = read_registries(text.encode())[0].configs["example.com:5000"]
        assert config.auth is not None
        assert config.tls is not None
        self.assertEqual((config.auth.username.text, config.auth.password.text), ("u", "p"))
        self.assertEqual(config.tls.ca_file.text, "/ca.pem")
        self.assertEqual(config.tls.cert_file.text, "/c.pem")
        self.assertEqual(config.tls.key_file.text, "/k.pem")
        self.assertTrue(config.tls.insecure_skip_verify)

    def test_old_hub(self) -> None:
        """The old name of Docker Hub is written as the one that the kubelet uses."""
        printed, _ = self.run_for("index.docker.io")
        self.assertIn("docker.io", self.mirrors(printed))
        self.assertNotIn("index.docker.io", self.mirrors(printed))

    def test_wrong(self) -> None:
        """Invalid usage is one line, with exit status 2."""
        tls = ("--endpoint", "https://a.b")
        for arguments in (
            ("https://quay.io",),
            ("--wildcard", "quay.io"),
            ("--wildcard", "--endpoint", "127.0.0.1"),
            ("--wildcard", "--ca-file", "/ca.pem"),
            ("--wildcard", *tls, "--ca-file", "ca.pem"),
            ("--wildcard", *tls, "--cert-file", "/ca.pem"),
            ("--wildcard", *tls, "--username", "u"),
            ("--wildcard", *tls, "--username", "u", "--password-file", self.write("empty", "\n")),
            ("--wildcard", "--system-default-registry", "k3s"),
            ("-d", f"{self.directory}/nowhere"),
        ):
            _, message = self.run_for(*arguments, status=2)
            self.assertEqual(message.count("Error: "), 1, message)

    def test_no_tree(self) -> None:
        """Without a tree and without names, there is nothing to write."""
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.directory)
        os.rmdir(self.tree)
        _, message = self.run_for(status=2)
        self.assertIn("no registry tree found: name it with -d", message)
