"""Tests for ``minreg.commands.trees``: which tree a command uses."""

import os
from collections.abc import Mapping

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from minreg.cli import cli
from minreg.commands.reports import WrongUsage
from minreg.commands.trees import check_tree, choose_target, find_root, find_tree
from tests.filled_tree import FilledTree


class TreesTestCase(SynchronousTestCase):
    """A working directory, and a directory that replaces the node's tree."""

    def setUp(self) -> None:
        """Change to an empty directory."""
        before = os.getcwd()
        here = self.mktemp()
        os.makedirs(here)
        self.node_tree = os.path.abspath(self.mktemp())
        os.chdir(here)
        self.addCleanup(os.chdir, before)
        self.add("named")

    def add(self, root: str) -> None:
        """Add a tree with an image."""
        FilledTree(root).add_image("a", "amd64", b"layer", tags=("1",))


class FindTreeTests(TreesTestCase):
    """Tests for ``find_tree`` and ``choose_target``."""

    def find(self, directory: str | None, **environment: str) -> str:
        """Find the tree."""
        return find_tree(directory, environment, [self.node_tree])

    def test_order(self) -> None:
        """The order is: option, variable, working directory, node."""
        self.add(self.node_tree)
        self.assertEqual(self.find(None), self.node_tree)
        self.add("registry")
        self.assertEqual(self.find(None), "./registry")
        self.assertEqual(self.find(None, MINREG_ROOT=""), "./registry")
        self.assertEqual(self.find(None, MINREG_ROOT=self.node_tree), self.node_tree)
        self.assertEqual(self.find("named", MINREG_ROOT=self.node_tree), "named")

    def test_none(self) -> None:
        """If none exists, the error says where it was searched for."""
        error = self.assertRaises(WrongUsage, self.find, None)
        self.assertIn(f"none of ./registry, {self.node_tree} exists", error.message)
        self.assertIn("--directory or MINREG_ROOT", error.message)
        self.assertIsNone(find_root(None, {}, []))

    def test_wrong(self) -> None:
        """A named path that is not a directory is an error that says where it was named."""
        open("file", "w", encoding="ascii").close()
        for directory, environment, start in (
            ("nowhere", {}, "--directory 'nowhere' does not exist: "),
            ("", {}, "--directory '' does not exist: "),
            ("file", {}, "--directory 'file' is not a directory: "),
            (None, {"MINREG_ROOT": "nowhere"}, "MINREG_ROOT 'nowhere' does not exist: "),
        ):
            error = self.assertRaises(WrongUsage, self.find, directory, **environment)
            self.assertTrue(error.message.startswith(start), error.message)

    def test_target(self) -> None:
        """A tree to fill is searched for in the same order; by default, it is ``./registry``."""

        def choose(directory: str | None, **environment: str) -> str:
            return choose_target(directory, environment, [self.node_tree])

        self.assertEqual(choose(None), "./registry")
        os.makedirs(self.node_tree)
        self.assertEqual(choose(None), self.node_tree)
        self.assertEqual(choose_target(None, {}), "./registry")
        os.makedirs("registry")
        self.assertEqual(choose(None), "./registry")
        self.assertEqual(choose(None, MINREG_ROOT="new"), "new")
        self.assertEqual(choose("other", MINREG_ROOT="new"), "other")
        open("file", "w", encoding="ascii").close()
        error = self.assertRaises(WrongUsage, choose, "file")
        self.assertIn("--directory 'file' is not a directory", error.message)
        error = self.assertRaises(WrongUsage, choose, None, MINREG_ROOT="file")
        self.assertIn("MINREG_ROOT 'file' is not a directory", error.message)


class CheckTreeTests(TreesTestCase):
    """Tests for ``check_tree``."""

    def refusal(self, root: str) -> str:
        """Return why a directory is not a tree."""
        return str(self.assertRaises(WrongUsage, check_tree, root).message)

    def test_trees(self) -> None:
        """A tree has a repository, at any depth and also by a link, or minreg's own files."""
        FilledTree("deep").add_image("a.example/b/c/d", "amd64", b"layer", tags=("1",))
        os.makedirs("linked")
        os.symlink(os.path.abspath("named/a"), "linked/x")
        os.makedirs("pruned/.minreg")
        os.makedirs("list/k3s")
        open("list/k3s/v1.33.4+k3s1.txt", "w", encoding="ascii").close()
        for root in ("named", "deep", "linked", "pruned", "list"):
            check_tree(root)

    def test_no_trees(self) -> None:
        """A directory with other files is not a tree, whatever links it has."""
        os.makedirs("other/k3s/data")
        os.makedirs("other/manifests")
        os.symlink(os.path.abspath("other"), "other/k3s/again")
        self.assertIn("other is not a registry tree: it has no repository", self.refusal("other"))
        os.makedirs("layout/blobs/sha256")
        open("layout/oci-layout", "w", encoding="ascii").close()
        self.assertIn("minreg import layout", self.refusal("layout"))


class CommandTests(TreesTestCase):
    """Tests for the commands that need a tree."""

    def run_command(self, *words: str, environment: Mapping[str, str] = os.environ) -> Result:
        """Run a command."""
        return CliRunner(env=environment).invoke(cli, words, prog_name="minreg")

    def test_same_tree(self) -> None:
        """All commands use the tree of the variable, and print its path on stderr."""
        for words in (
            ("list",),
            ("list", "--json"),
            ("verify", "--quick"),
            ("prune",),
            ("registries", "quay.io"),
        ):
            result = self.run_command(*words, environment={"MINREG_ROOT": "named"})
            self.assertEqual(result.exit_code, 0, result.output)
            self.assertIn("registry tree: named (from MINREG_ROOT)\n", result.stderr)
            self.assertNotIn("registry tree", result.stdout)
            named = self.run_command(*words, "-d", "named")
            self.assertNotIn("registry tree", named.stderr)
            self.assertEqual(named.stdout, result.stdout)

    def test_no_tree(self) -> None:
        """A directory that is not a tree is one line on stderr, and status 2."""
        os.makedirs("empty")
        with open("images", "w", encoding="ascii") as file:
            file.write("a:1\n")
        for words in (
            ("list",),
            ("list", "--json"),
            ("verify",),
            ("prune", "--yes"),
            ("preflight", "-f", "images"),
        ):
            result = self.run_command(*words, "-d", "empty")
            self.assertEqual((result.exit_code, result.stdout), (2, ""), result.output)
            self.assertTrue(result.stderr.startswith("Error: empty is not a registry tree: "))
            self.assertEqual(result.stderr.count("\n"), 1)
        self.assertEqual(os.listdir("empty"), [])

    def test_import_of_nothing(self) -> None:
        """If the source does not exist, no tree is created."""
        result = self.run_command("import", "nope.tar")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("nope.tar: no such file", result.stderr)
        self.assertFalse(os.path.exists("registry"))

    def test_links(self) -> None:
        """A directory for --allow-links-to that does not exist is an error."""
        result = self.run_command("list", "-d", "named", "--allow-links-to", "nope")
        self.assertEqual(result.exit_code, 2)
        self.assertIn("--allow-links-to nope is not a directory", result.stderr)
