"""Tests for ``minreg list``."""

import json
import os

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from minreg.cli import cli
from minreg.commands.list import _make_table
from tests.filled_tree import FilledTree
from tests.test_inventory import ABSENT


class ListCommandTests(SynchronousTestCase):
    """Tests for ``minreg.commands.list``."""

    def setUp(self) -> None:
        """Create a tree of two images that share a layer."""
        self.tree = FilledTree(self.mktemp())
        amd64 = self.tree.add_image("a", "amd64", b"base", b"a")
        self.index = self.tree.add_index("a", amd64, ABSENT, tag="1")
        self.tree.add_image("b", "arm64", b"base", b"b", tags=("1", "2"))

    def run_list(self, *arguments: str) -> str:
        """Run the command."""
        result = CliRunner().invoke(cli, ["list", "-d", self.tree.root, *arguments])
        self.assertEqual(result.exit_code, 0)
        return result.stdout

    def test_table(self) -> None:
        """Each tag has a line, below the headings."""
        lines = [line.split() for line in self.run_list().splitlines()]
        self.assertEqual(lines[0], ["IMAGE", "DIGEST", "PLATFORMS", "ABSENT", "SIZE", "SHARED"])
        self.assertEqual([line[0] for line in lines[1:]], ["a:1", "b:1", "b:2"])
        self.assertEqual(lines[1][1:4], [self.index["digest"][:19], "linux/amd64", "linux/arm64"])
        self.assertEqual(lines[2][2:4], ["linux/arm64", "-"])
        self.assertEqual([line[-2:] for line in lines[1:]], [["4", "B"]] * 3)

    def test_no_image(self) -> None:
        """For a tree without images, the command says how to fill it."""
        root = self.mktemp()
        os.makedirs(os.path.join(root, ".minreg"))
        result = CliRunner().invoke(cli, ["list", "-d", root])
        self.assertEqual(result.exit_code, 0)
        self.assertEqual(
            result.stderr, f"{root} has no image: fill it with minreg download or minreg import\n"
        )

    def test_json(self) -> None:
        """The JSON has whole digests, and sizes in bytes."""
        first = json.loads(self.run_list("--json"))[0]
        self.assertEqual(
            first,
            {
                "repository": "a",
                "tag": "1",
                "digest": self.index["digest"],
                "platforms": ["linux/amd64"],
                "absent_platforms": ["linux/arm64"],
                "size": first["size"],
                "shared": 4,
                "problems": [],
            },
        )
        self.assertIsInstance(first["size"], int)

    def test_lost_tag(self) -> None:
        """A tag that is a broken link is shown as missing."""
        os.unlink(self.tree.path("a", "manifests", self.index["digest"]))
        self.assertEqual(self.run_list().splitlines()[1].split()[:2], ["a:1", "missing"])
        self.assertIsNone(json.loads(self.run_list("--json"))[0]["digest"])

    def test_empty(self) -> None:
        """A tree without images has only the headings."""
        empty = self.mktemp()
        os.makedirs(os.path.join(empty, ".minreg"))
        result = CliRunner().invoke(cli, ["list", "-d", empty])
        self.assertEqual((result.exit_code, len(result.stdout.splitlines())), (0, 1))

    def test_no_tree(self) -> None:
        """A directory that is not a tree is an error."""
        empty = self.mktemp()
        os.mkdir(empty)
        result = CliRunner().invoke(cli, ["list", "-d", empty])
        self.assertEqual((result.exit_code, result.stdout), (2, ""))
        self.assertIn(f"Error: {empty} is not a registry tree", result.stderr)


class TableTests(SynchronousTestCase):
    """Tests for a table on a narrow terminal."""

    def test_narrow(self) -> None:
        """Columns are left out until the table fits; in a pipe, none is."""
        headings = ("IMAGE", "DIGEST", "PLATFORMS", "ABSENT", "SIZE", "SHARED")
        row = ("rancher/pause:3.6", "sha256:0123456789ab", "linux/amd64", "-", "3.5 kB", "0 B")
        for width, left_out in (
            (None, []),
            (80, []),
            (74, ["SHARED"]),
            (50, ["SHARED", "DIGEST"]),
            (10, ["SHARED", "DIGEST", "ABSENT"]),
        ):
            first, _ = _make_table([headings, row], width)
            shown = [heading for heading in headings if heading not in left_out]
            self.assertEqual(" ".join(first.split()), " ".join(shown), width)
