"""Tests for ``minreg preflight`` of lists and of Kubernetes manifests."""

import builtins
import json
import sys
from typing import Any

from tests.preflight_command import PreflightCommandTestCase
from tests.preflight_support import PAUSE, VERSION

CHART = "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nspec: {chart: a}\n"
POD = "kind: Pod\nspec:\n  containers:\n  - image: quay.io/x/app:1\n"


class ListTests(PreflightCommandTestCase):
    """Tests with ``--file`` and ``--manifests``."""

    def test_list(self) -> None:
        """A list is checked, from a file and from standard input."""
        path = self.write(f"{PAUSE}\n\nquay.io/x/app:1  # why not\n")
        for arguments, given in ((("-f", path), ""), (("-f", "-"), "quay.io/x/app:1\n")):
            self.assertEqual(self.lacking(*arguments, given=given), ["quay.io/x/app:1"])
        self.assertIn(f"(list {path})", self.run_command("-f", path).stdout)

    def test_its_own_output(self) -> None:
        """What it prints it reads."""
        self.release.remove_tag(PAUSE)
        printed = self.run_command("--k3s", VERSION).stdout
        self.assertEqual(self.lacking("-f", "-", given=printed), [f"docker.io/{PAUSE}"])

    def test_wrong_list(self) -> None:
        """Text that is not an image name is reported with its line."""
        self.assertIn(
            "standard input:2: 'A' is not an image name", self.refusal("-f", "-", given="a\nA\n")
        )
        self.assertIn("nothing was checked", self.refusal("-f", "-", given=""))

    def test_manifests(self) -> None:
        """Kubernetes manifests are checked; what cannot be determined is a note."""
        path = self.write(f"{POD}  - image: rancher/mirrored-pause:3.6\n  - image: $(X)\n")
        self.assertEqual(self.lacking("-m", path), ["quay.io/x/app:1"])
        result = self.run_command("-m", path)
        self.assertIn(f"({path}:4)", result.stdout)
        note = f"{path}:6: '$(X)' has a placeholder: the image is not known"
        self.assertEqual(result.stderr.splitlines()[0], f"note: {note}")
        document = json.loads(self.run_command("-m", path, "--json").stdout)
        self.assertEqual(document["notes"], [note])
        self.assertEqual(self.lacking("-m", "-", given=POD), ["quay.io/x/app:1"])

    def test_likely(self) -> None:
        """Likely images are checked, listed apart, and fail unless they are ignored."""
        args = "    args: ['--image=quay.io/x/side:1', '--image=rancher/mirrored-pause:3.6']\n"
        path = self.write(POD.replace("quay.io/x/app:1", "rancher/mirrored-pause:3.6") + args)
        result = self.run_command("-m", path)
        self.assertEqual(result.exit_code, 1)
        title, line = result.stdout.splitlines()
        self.assertEqual(
            title, "# likely, because of its form or its field; nodes may not pull it:"
        )
        self.assertTrue(line.startswith("quay.io/x/side:1  # linux/amd64: "), line)
        self.assertIn(f"({path}:5, spec.containers[0].args[0])", line)
        self.assertIn(
            "1 of 2 images not ready for linux/amd64, 1 of them only likely", result.stderr
        )
        document = json.loads(self.run_command("-m", path, "--json").stdout)
        self.assertEqual([one["likely"] for one in document["findings"]], [True])
        result = self.run_command("-m", path, "--ignore-likely")
        self.assertEqual(result.exit_code, 0)
        self.assertTrue(all(line.startswith("# ") for line in result.stdout.splitlines()))
        self.assertEqual(
            result.stderr,
            "2 images checked for linux/amd64: all is here but 1 likely image, which "
            "--ignore-likely ignores\n",
        )
        required = self.write(POD)
        self.assertEqual(self.run_command("-m", required, "--ignore-likely").exit_code, 1)

    def test_required_and_likely(self) -> None:
        """An image that a list requires is not only likely."""
        args = "    args: ['--image=quay.io/x/side:1']\n"
        path = self.write(POD + args)
        listed = self.write("quay.io/x/side:1\n")
        result = self.run_command("-m", path, "-f", listed)
        self.assertNotIn("# likely", result.stdout)
        self.assertIn("2 of 2 images not ready for linux/amd64\n", result.stderr)

    def test_only_notes(self) -> None:
        """Notes are printed also if there is no image to check, and if the check fails."""
        path = self.write(CHART)
        result = self.run_command("-m", path)
        self.assertEqual((result.exit_code, result.stdout), (2, ""))
        note, error = result.stderr.splitlines()
        self.assertIn("the images in the chart itself are not known", note)
        self.assertEqual(error, "Error: the query names no image: nothing was checked")
        result = self.run_command("-m", path, "--json")
        document = json.loads(result.stdout)
        self.assertEqual((result.exit_code, len(document["notes"])), (2, 1))
        self.assertEqual((document["ready"], document["images"]), (False, 0))
        result = self.run_command("-m", path, "--k3s", "v9.9.9+k3s1")
        self.assertTrue(result.stderr.startswith("note: "))
        result = self.run_command("-m", path, "-m", self.write("image: [\n"))
        self.assertTrue(result.stderr.startswith("note: "))

    def test_encodings(self) -> None:
        """Lists with a byte order mark are read; those in UTF-16 are named as such."""
        text = "docker.io/x/a:1\r\nquay.io/b/c:2\r\n"
        self.assertEqual(
            self.lacking("-f", "-", given="\ufeff" + text), ["docker.io/x/a:1", "quay.io/b/c:2"]
        )
        for encoding in ("utf-16-le", "utf-16-be"):
            content = ("\ufeff" + text).encode(encoding)
            refusal = self.refusal("-f", "-", given=content)
            self.assertIn(
                "Error: standard input is in UTF-16, not in UTF-8: save it as UTF-8", refusal
            )
            self.assertEqual(refusal.count("\n"), 1)
        self.assertIn("standard input is not UTF-8", self.refusal("-f", "-", given=b"a:1 # \xe9"))

    def test_all_together(self) -> None:
        """A release, lists and manifests can be checked together."""
        arguments = ("--k3s", VERSION, "-f", self.write("a:1\n"), "-m", self.write(POD))
        self.assertEqual(self.lacking(*arguments), ["docker.io/library/a:1", "quay.io/x/app:1"])
        own = POD.replace("quay.io/x/app:1", "rancher/kubectl:v1.33.4")
        lacking = self.lacking("--k3s", VERSION, "--upgrade", "-m", self.write(own))
        self.assertIn("docker.io/rancher/kubectl:v1.33.4", lacking)
        self.assertNotIn("docker.io/rancher/kubectl:v1.30.3", lacking)

    def test_wrong_manifests(self) -> None:
        """What is no manifest is named, with its file and line."""
        broken = self.write("image: [\n")
        self.assertIn(f"Error: {broken}:2: ", self.refusal("-m", broken))
        broken = self.write("kind: Secret\n---\nkind: [\n")
        self.assertIn(f"Error: {broken}:4: ", self.refusal("-m", broken))
        self.assertIn("is not UTF-8", self.refusal("-m", "-", given=b"\xff"))
        self.assertIn("nothing was checked", self.refusal("-m", "-", given="a: b\n"))

    def test_without_yaml(self) -> None:
        """Only manifests need the library; without it, the error says what to install."""
        real = builtins.__import__

        def without(name: str, *more: Any) -> Any:
            if name.startswith("yaml"):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            return real(name, *more)

        for name in [name for name in sys.modules if name.startswith("minreg.k3s.")]:
            self.patch_module(name)
        self.patch(builtins, "__import__", without)
        self.assertEqual(self.run_command("--k3s", VERSION).exit_code, 0)
        refusal = self.refusal("-m", "-", given=POD)
        self.assertIn("needs yaml, which is not installed: reinstall minreg", refusal)
        self.assertEqual(refusal.count("\n"), 1)

    def patch_module(self, name: str) -> None:
        """Have a module imported again during the test."""
        module = sys.modules.pop(name)
        self.addCleanup(sys.modules.__setitem__, name, module)
