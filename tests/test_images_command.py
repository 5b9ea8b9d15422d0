"""Tests for ``minreg images``."""

import json

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from minreg.cli import cli
from minreg.oci.names import parse_references
from tests.test_kubernetes_likely import OPERATOR

CHART = "---\napiVersion: helm.cattle.io/v1\nkind: HelmChart\nspec: {chart: a}\n"


class ImagesTests(SynchronousTestCase):
    """Tests for the list."""

    def run_command(self, *arguments: str, given: str | bytes = "") -> Result:
        """Run the command."""
        return CliRunner().invoke(cli, ["images", *arguments], input=given)

    def test_list(self) -> None:
        """The list has required images, then likely ones; a download reads it."""
        result = self.run_command("-", given=OPERATOR + CHART)
        self.assertEqual(result.exit_code, 0)
        lines = result.stdout.splitlines()
        self.assertEqual(
            lines[:2],
            [
                "quay.io/acme/operator:1.0  # (standard input):9, Deployment sys/op",
                "# likely, because of the form or the field; nodes may not pull these:",
            ],
        )
        self.assertEqual(len(parse_references(lines, "-")), 10)
        self.assertIn("note: (standard input):19: the images in the chart itself", result.stderr)

    def test_ignore_likely(self) -> None:
        """Likely images can be left out."""
        result = self.run_command("--ignore-likely", "-", given=OPERATOR)
        self.assertEqual(len(result.stdout.splitlines()), 1)

    def test_json(self) -> None:
        """Programs get images and notes."""
        result = self.run_command("--json", "-", given=OPERATOR + CHART)
        document = json.loads(result.stdout)
        self.assertEqual(
            document["images"][0],
            {
                "image": "quay.io/acme/operator:1.0",
                "likely": False,
                "reason": "(standard input):9, Deployment sys/op",
            },
        )
        self.assertEqual([one["likely"] for one in document["images"]].count(True), 9)
        self.assertEqual((len(document["notes"]), result.stderr), (1, ""))

    def test_nothing(self) -> None:
        """If no image is named, this is said, after the notes."""
        result = self.run_command("-", given=CHART)
        self.assertEqual((result.exit_code, result.stdout), (0, ""))
        note, last = result.stderr.splitlines()
        self.assertTrue(note.startswith("note: "))
        self.assertEqual(last, "no image is named there")

    def test_wrong(self) -> None:
        """Manifests that cannot be read are status 2, with a line for each reason."""
        for given, reason in (
            (b"image: [\n", "(standard input):2: "),
            (b"\xff\xfei\x00", "the standard input is in UTF-16, not in UTF-8: save it as UTF-8"),
        ):
            result = self.run_command("-", given=given)
            self.assertEqual((result.exit_code, result.stdout), (2, ""))
            self.assertIn(reason, result.stderr)
        self.assertEqual(self.run_command("-", "-").exit_code, 2)
        self.assertEqual(self.run_command().exit_code, 2)
