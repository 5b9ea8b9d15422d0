"""Tests for ``minreg registries``."""

import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from minreg.node.registries_file import read_registries
from tests.test_cli import run

ALIAS = "bootstrap-registry.airgap"
MINREG = "http://127.0.0.1:9080"


class RegistriesTestCase(SynchronousTestCase):
    """A directory with a tree in it, and files."""

    def setUp(self) -> None:
        """Make the directory."""
        self.directory = os.path.abspath(self.mktemp())
        self.tree = f"{self.directory}/registry"
        os.makedirs(self.tree)

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
        """Run the command, and return what it printed and what it said."""
        result = run("registries", *arguments)
        self.assertEqual(result.exit_code, status, result.output)
        return result.stdout, result.stderr

    def mirrors(self, text: str) -> dict[str, list[str]]:
        """Read the endpoints of each mirror of a file."""
        registries, problems = read_registries(text.encode())
        self.assertEqual(problems, [])
        return {
            name: [word.text for word in mirror.endpoints]
            for name, mirror in registries.mirrors.items()
        }


class ChoosingTests(RegistriesTestCase):
    """Tests for what comes into the file."""

    def test_tree_with_hosts(self) -> None:
        """K3s' own registry, each host of the tree, and those that are named."""
        self.add("quay.io/a/b", "docker.io/library/busybox", "localhost:5000/c")
        text, notes = self.run_for("-d", self.tree, "ghcr.io", "quay.io")
        names = [ALIAS, "docker.io", "localhost:5000", "quay.io", "ghcr.io"]
        self.assertEqual(self.mirrors(text), {name: [MINREG] for name in names})
        self.assertEqual(list(self.mirrors(text)), names)
        self.assertEqual(notes, "")

    def test_tree_without_hosts(self) -> None:
        """Of which registries a trimmed tree's images are, only people can say."""
        self.add("rancher/mirrored-pause")
        text, notes = self.run_for("-d", self.tree)
        self.assertEqual(self.mirrors(text), {ALIAS: [MINREG]})
        self.assertIn("name the registries here, or say --wildcard", notes)
        self.assertEqual(self.run_for("-d", self.tree, "docker.io")[1], "")

    def test_empty_tree(self) -> None:
        """A directory that is no tree is not passed over in silence."""
        self.assertIn(f"{self.tree} holds no repository\n", self.run_for("-d", self.tree)[1])

    def test_wildcard(self) -> None:
        """One entry for all, whatever the tree holds."""
        text, _ = self.run_for("--wildcard")
        self.assertEqual(self.mirrors(text), {"*": [MINREG]})

    def test_system_default_registry(self) -> None:
        """K3s' registry may have another name, of which minreg has to know."""
        text, notes = self.run_for("--system-default-registry", "k3s.local", "quay.io")
        self.assertEqual(list(self.mirrors(text)), ["k3s.local", "quay.io"])
        self.assertIn("--registry-alias k3s.local=docker.io", notes)

    def test_endpoints(self) -> None:
        """Several endpoints in their order, with their settings, under their names."""
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

    def test_wrong(self) -> None:
        """Wrong usage is told in one line, with exit status 2."""
        tls = ("--endpoint", "https://a.b")
        for arguments in (
            ("https://quay.io",),
            ("--wildcard", "quay.io"),
            ("--wildcard", "--endpoint", "127.0.0.1"),
            ("--wildcard", "--ca-file", "/ca.pem"),
            ("--wildcard", *tls, "--ca-file", "ca.pem"),
            ("--wildcard", *tls, "--cert-file", "/ca.pem"),
            ("--wildcard", *tls, "--username", "u"),
            ("--wildcard", "--system-default-registry", "k3s"),
            ("-d", f"{self.directory}/nowhere"),
        ):
            _, message = self.run_for(*arguments, status=2)
            self.assertEqual(message.count("Error: "), 1, message)

    def test_no_tree(self) -> None:
        """Without a tree, without names, there is nothing to write."""
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.directory)
        os.rmdir(self.tree)
        _, message = self.run_for(status=2)
        self.assertIn("there is no tree to look at: name it with -d", message)


class WritingTests(RegistriesTestCase):
    """Tests for where it goes."""

    def test_output(self) -> None:
        """A file is written whole; a second time it is the same."""
        path = f"{self.directory}/k3s/registries.yaml"
        printed, notes = self.run_for("quay.io", "--output", path)
        self.assertEqual((printed, notes), ("", f"{path}: written; K3s reads it when it starts\n"))
        self.assertEqual(list(self.mirrors(self.read(path))), [ALIAS, "quay.io"])
        self.assertEqual(os.listdir(os.path.dirname(path)), ["registries.yaml"])

    def test_rights(self) -> None:
        """A file with a login is for root alone, and none gets more rights than it has."""
        login = ("--username", "u", "--password-file", self.write("password", "p"))
        path = f"{self.directory}/registries.yaml"
        self.run_for("quay.io", "--endpoint", "http://a.b", *login, "--output", path)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.run_for("quay.io", "--output", path)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)

    def test_link(self) -> None:
        """What a link leads to is written, and the link stays."""
        path = self.write("real.yaml", "")
        os.symlink("real.yaml", f"{self.directory}/link.yaml")
        self.run_for("quay.io", "--output", f"{self.directory}/link.yaml")
        self.assertTrue(os.path.islink(f"{self.directory}/link.yaml"))
        self.assertIn("quay.io", self.read(path))

    def test_not_to_be_written(self) -> None:
        """What cannot be written is told in one line."""
        path = self.write("file", "")
        _, message = self.run_for("quay.io", "--output", f"{path}/registries.yaml", status=1)
        self.assertEqual(message, f"Error: {path}: File exists\n")

    def test_hosts_toml(self) -> None:
        """What K3s would write for containerd here, a directory for each registry."""
        path = f"{self.directory}/certs.d"
        printed, notes = self.run_for("example.com:5000", "--hosts-toml", path)
        self.assertEqual(printed, "")
        self.assertEqual(sorted(os.listdir(path)), [ALIAS, "example.com:5000"])
        self.assertEqual(
            self.read(f"{path}/example.com:5000/hosts.toml"),
            "# File generated by k3s. DO NOT EDIT.\n"
            'server = "https://example.com:5000/v2"\n'
            'capabilities = ["pull", "resolve", "push"]\n'
            "\n[host]\n"
            f'\n[host."{MINREG}/v2"]\n'
            '  capabilities = ["pull", "resolve"]\n',
        )
        self.assertIn(f"{path}/{ALIAS}/hosts.toml: written\n", notes)

    def test_hosts_toml_without_default(self) -> None:
        """With K3s' option against it, the registry itself is left out."""
        path = f"{self.directory}/certs.d"
        self.run_for("--wildcard", "--hosts-toml", path, "--disable-default-registry-endpoint")
        self.assertNotIn("server", self.read(f"{path}/_default/hosts.toml"))


class MergingTests(RegistriesTestCase):
    """Tests for ``--merge``."""

    def test_merge(self) -> None:
        """What is there stays, what is wanted is added, in place if need be."""
        path = self.write("registries.yaml", "# ours\nmirrors:\n  a.b:\n    endpoint: [c]\n")
        self.run_for("quay.io", "--merge", path, "--output", path)
        text = self.read(path)
        self.assertTrue(text.startswith("# ours\nmirrors:\n"))
        self.assertTrue(text.endswith("  a.b:\n    endpoint: [c]\n"))
        self.assertEqual(self.mirrors(text), {ALIAS: [MINREG], "quay.io": [MINREG], "a.b": ["c"]})

    def test_nothing_to_merge_with(self) -> None:
        """A node without the file gets it: one command does for all nodes."""
        path = f"{self.directory}/registries.yaml"
        self.run_for("quay.io", "--merge", path, "--output", path)
        self.assertEqual(list(self.mirrors(self.read(path))), [ALIAS, "quay.io"])

    def test_left_to_do(self) -> None:
        """What only people can decide is told with its line, and the exit status is 1."""
        path = self.write(
            "registries.yaml", "mirrors:\n  quay.io: {endpoint: [a], rewrite: {b: c}}\n"
        )
        printed, notes = self.run_for("quay.io", "--merge", path, status=1)
        self.assertIn(f"{path}:2: the rewrites of quay.io would hold", notes)
        self.assertEqual(self.mirrors(printed), {ALIAS: [MINREG], "quay.io": ["a"]})

    def test_refused(self) -> None:
        """A file that cannot be added to is left, and what to add by hand is shown."""
        for text, told in (
            ("mirrors:\n\ta:\n", ":2:1: this line is indented with a tab"),
            ("configs:\n...\n", "add by hand:\n# What K3s"),
        ):
            path = self.write("registries.yaml", text)
            printed, message = self.run_for("quay.io", "--merge", path, "--output", path, status=1)
            self.assertEqual((printed, self.read(path)), ("", text))
            self.assertIn(told, message)
