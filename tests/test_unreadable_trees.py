"""Tests for commands in trees of which a part may not be read by this user."""

import os

from minreg.fill.tree.provenance import record_provenance
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.names import OCI_MANIFEST, ImageReference
from tests.hostile_tree import HostileTreeTestCase
from tests.store_support import without_privileges


class UnreadableTests(HostileTreeTestCase):
    """Tests for parts of a tree that this user may not read."""

    def setUp(self) -> None:
        """Check that the commands work for a user who may read everything."""
        super().setUp()
        for command in ("list", "verify", "prune"):
            self.assertEqual(self.run_command(command).exit_code, 0)

    def test_unreadable(self) -> None:
        """Nothing is removed, and nothing is called complete."""
        digest = self.tree.add_image("b/c", "amd64", b"untagged")["digest"]
        self.tree.add_image("d", "amd64", b"layer", tags=("1",))
        with TreeWriter(self.tree.root, "a test") as tree:
            record_provenance(tree, "b/c", ImageReference.parse(f"quay.io/b/c@{digest}"))
        for place in ("b", "b/c", "b/c/manifests", "d", ".minreg/origins/b/c/manifests"):
            path = self.tree.path(place)
            for mode in (0, 0o600 if place == "d" else 0):
                os.chmod(path, mode)
                with without_privileges(os.path.dirname(self.tree.root)):
                    refusal = self.refusal("prune", "--keep-file", "-", keep="quay.io/a:1")
                    outcomes = [self.run_command(command) for command in ("list", "verify")]
                os.chmod(path, 0o755)
                self.assertIn("nothing was removed: ", refusal)
                self.assertIn(path, refusal)
                for outcome in outcomes:
                    self.assertEqual(outcome.exit_code, 1)
                    self.assertIn(f"not checked: {path}", outcome.output)
                    self.assertIn("a:1", outcome.stdout)
        self.assertEqual(self.run_command("verify").exit_code, 0)

    def test_unreadable_manifest(self) -> None:
        """An unreadable manifest may be a referrer, and is not removed."""
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": []}
        digest = self.tree.add_document("a", {**document, "config": {}})["digest"]
        path = self.tree.path("a", "manifests", digest)
        os.chmod(path, 0)
        with without_privileges(os.path.dirname(self.tree.root)):
            self.assertIn(f"{path} cannot be read by this user", self.refusal("prune"))

    def test_unreadable_blobs(self) -> None:
        """Unreadable blobs are not counted as hashed, and their directory not as empty."""
        path = self.tree.path("blobs")
        for name in os.listdir(path):
            os.chmod(os.path.join(path, name), 0)
        with without_privileges(os.path.dirname(self.tree.root)):
            result = self.run_command("verify")
        self.assertEqual(result.exit_code, 1)
        self.assertEqual(result.stdout.splitlines()[-1], "0 of 1 image complete")
        os.chmod(path, 0)
        self.addCleanup(os.chmod, path, 0o755)
        with without_privileges(os.path.dirname(self.tree.root)):
            self.assertIn("cannot be read by this user", self.refusal("prune"))
            self.assertIn(f"not checked: {path}", self.run_command("verify").stdout)
