"""Tests for ``minreg preflight`` of lists and of Kubernetes manifests."""

import builtins
import json
import sys
from typing import Any

from tests.preflight_command import PreflightCommandTestCase
from tests.preflight_support import PAUSE, VERSION

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
        self.assertIn("-:2: 'A' is not an image name", self.refusal("-f", "-", given="a\nA\n"))
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
