"""Tests for ``minreg doctor`` as a command line."""

import json
import os

from click.testing import Result

from minreg.commands.doctor import limited_time
from minreg.commands.reports import CouldNotLook
from minreg.defaults import DEFAULT_ROOT
from tests.doctor_support import MIRRORS, RulesTestCase, another_user
from tests.nodes import CONFIG, CONTAINERD, REGISTRIES, SERVICE
from tests.test_cli import run

_PAUSE = "bootstrap-registry.airgap/rancher/mirrored-pause:3.6"
_IMAGES = "/var/lib/rancher/k3s/agent/images"
_URL = "http://127.0.0.1:9080/v2/rancher/mirrored-pause/manifests/3.6?ns=bootstrap-registry.airgap"


class DoctorCommandTests(RulesTestCase):
    """Tests for ``minreg.commands.doctor``."""

    def doctor(self, *arguments: str) -> Result:
        """Run the command on the node."""
        return run("doctor", "--root-prefix", self.node.prefix, *arguments)

    def test_healthy(self) -> None:
        """On a healthy node it says who answers for what, and exits with 0."""
        result = self.doctor()
        self.assertEqual(result.exit_code, 0, result.output)
        verdict, _, heading, row = result.output.splitlines()
        self.assertEqual(heading, "images that this node will pull:")
        self.assertRegex(row, rf"\A +\d+ B  {_PAUSE}\Z")
        self.assertEqual(verdict, "nothing to fix")

    def test_new_agent(self) -> None:
        """The images of an agent that has never run are listed as not known."""
        self.node.replace(SERVICE, "server \\", "agent \\")
        self.node.write(CONFIG, "disable-default-registry-endpoint: true\n")
        self.node.restart_k3s()
        self.node.remove(f"{CONTAINERD}/config.toml")
        result = self.doctor()
        words = " ".join(result.output.split())
        self.assertIn("the images of this K3s agent: they are not known before", words)
        self.assertIn("nothing to fix in what could be checked", result.output)

    def test_findings(self) -> None:
        """A finding is printed with its position, rule, problem and fix."""
        self.set_registries(MIRRORS.replace("http:", "https:"))
        self.node.write(CONFIG, "system-default-registry: bootstrap-registry.airgap\n")
        os.utime(self.node.place(CONFIG), (4_000_000_000, 4_000_000_000))
        result = self.doctor()
        self.assertEqual(result.exit_code, 1)
        lines = result.output.splitlines()
        self.assertEqual(
            lines[:10],
            [
                "1 error, 1 warning",
                "",
                "error: http instead of https, or the reverse [endpoint-scheme]",
                f"    in {REGISTRIES}:4",
                "    https://127.0.0.1:9080 means https, but minreg uses http: each pull fails",
                "    fix: write http://127.0.0.1:9080",
                "",
                "warning: a change has no effect before a restart [restart]",
                f"    in {CONFIG}",
                "    the file was changed after K3s was started, which reads it only then",
            ],
        )
        self.assertEqual(lines[10], "    fix: systemctl restart k3s.service")

    def test_suggestion(self) -> None:
        """A node that only has suggestions is healthy: the exit status is 0."""
        archive = f"{_IMAGES}/k3s-airgap-images-amd64.tar.zst"
        self.node.write(archive, "x")
        result = self.doctor()
        self.assertEqual(result.exit_code, 0)
        lines = result.stdout.splitlines()
        self.assertEqual(lines[0], "nothing to fix; 1 suggestion")
        self.assertEqual(lines[2], "suggestion: archives are imported at each start [archives]")
        (finding,) = json.loads(self.doctor("--json").stdout)["findings"]
        self.assertEqual(finding["severity"], "suggestion")
        # What is longer than 80 columns is a command, whole, to be pasted.
        (long,) = (line for line in lines if len(line) > 80)
        command = f"minreg import -d {DEFAULT_ROOT} {archive}"
        self.assertEqual(long, f"    fix: {command}")

    def test_colors(self) -> None:
        """Severities and the verdict have colours where the terminal has."""
        self.set_registries(MIRRORS.replace("http:", "https:"))
        self.patch(os, "environ", {**os.environ, "FORCE_COLOR": "1", "NO_COLOR": ""})
        self.assertIn("\x1b[31m\x1b[1merror:\x1b[0m http instead", self.doctor().stdout)
        self.assertIn('\x1b[32m+      - "http://', self.doctor("--fix").stdout)

    def test_json(self) -> None:
        """Programs get the same, as a document."""
        self.node.write("/etc/rancher/k3s/registries.yml", "")
        os.mkfifo(self.node.place("/var/lib/rancher/k3s/agent/images"))
        result = self.doctor("--json")
        self.assertEqual(result.exit_code, 1)
        document = json.loads(result.output)
        self.assertEqual(sorted(document), ["findings", "images", "not_checked"])
        (finding,) = document["findings"]
        self.assertEqual(
            {key: finding[key] for key in ("rule", "severity", "file", "line")},
            {
                "rule": "file-name",
                "severity": "error",
                "file": "/etc/rancher/k3s/registries.yml",
                "line": None,
            },
        )
        self.assertEqual(sorted(finding), sorted([*finding, "problem", "fix", "title"][:7]))
        (image,) = document["images"]
        self.assertEqual(
            (image["image"], image["reason"], image["url"], image["asked_before"]),
            (_PAUSE, "the pause image", _URL, []),
        )
        self.assertEqual(image["digest"][:7], "sha256:")

    def test_images(self) -> None:
        """The table marks images that are missing, and images that are pulled from elsewhere."""
        self.node.write(
            f"{_IMAGES}/a.txt", f"{_PAUSE.replace('3.6', '9')}\nquay.io/a/b:1\nno image\n\n"
        )
        output = self.doctor().output
        self.assertIn(
            f"      missing  {_PAUSE.replace('3.6', '9')}\n"
            "               requested from http://127.0.0.1:9080\n"
            "    elsewhere  quay.io/a/b:1\n"
            "               requested from https://quay.io\n",
            output,
        )

    def test_list(self) -> None:
        """A list of a release's images that cannot be read is said to be so."""
        self.node.write(f"{DEFAULT_ROOT}/k3s/v1.33.4+k3s1.txt", "!\n")
        verdict, _, _, image, _, *left_out = self.doctor().stdout.splitlines()
        self.assertIn(_PAUSE, image)
        self.assertEqual(verdict, "nothing to fix in what could be checked")
        self.assertIn("k3s/v1.33.4+k3s1.txt:1: '!' is not an image name", " ".join(left_out))

    def test_fix(self) -> None:
        """What to change in files is a diff; what else there is to do is said beside it."""
        self.node.replace(REGISTRIES, "http:", "https:")
        self.node.remove("/etc/systemd/system/sockets.target.wants/minreg.socket")
        before = self.node.read(REGISTRIES)
        result = self.doctor("--fix")
        self.assertEqual(result.exit_code, 1)
        changed = [line for line in result.stdout.splitlines() if line[0] in "+-"]
        self.assertEqual(
            changed,
            [
                f"--- a{REGISTRIES}",
                f"+++ b{REGISTRIES}",
                '-      - "https://127.0.0.1:9080"',
                '+      - "http://127.0.0.1:9080"',
            ],
        )
        self.assertIn(
            "by hand: /etc/systemd/system/minreg.socket: systemctl enable --now minreg.socket "
            "[unit-disabled]\n",
            result.stderr,
        )
        self.assertEqual(self.node.read(REGISTRIES), before)
        self.assertIn("diff", json.loads(self.doctor("--fix", "--json").output))

    def test_nothing_there(self) -> None:
        """Without K3s and minreg the exit status is 2."""
        empty = self.mktemp()
        os.makedirs(empty)
        result = run("doctor", "--root-prefix", empty)
        self.assertEqual(result.exit_code, 2)
        self.assertEqual(result.stdout, "")
        self.assertIn("Error: neither K3s nor RKE2 nor minreg is installed here", result.stderr)

    def test_no_file(self) -> None:
        """If the configuration cannot be read, the exit status is 2, even with findings."""
        self.node.remove(REGISTRIES)
        os.mkfifo(self.node.place(REGISTRIES))
        result = self.doctor()
        self.assertEqual(result.exit_code, 2)
        self.assertIn(f"not checked: {REGISTRIES}: it is not a regular file\n", result.stdout)
        self.assertIn("nothing to fix in what could be checked\n", result.stdout)
        self.assertEqual(
            result.stderr,
            f"Error: {REGISTRIES} cannot be read: it is not a regular file: replace it "
            "with a regular file\n",
        )

    def test_another_user(self) -> None:
        """A user without permissions gets a list of what was not read, and no wrong findings."""
        for path in ("/var/lib/rancher/k3s/server", "/var/lib/rancher/k3s/agent"):
            os.chmod(self.node.place(path), 0o700)
        with another_user(self.node.prefix, "/var/lib/rancher/k3s"):
            result = self.doctor()
        self.assertEqual((result.exit_code, result.stderr), (0, ""), result.output)
        verdict, _, *lines, more = result.stdout.splitlines()
        left_out = " ".join(" ".join(lines).split()).split("not checked: ")[1:]
        self.assertEqual(len(left_out), 3)
        for line in left_out:
            self.assertTrue(line.startswith("/var/lib/rancher/k3s/"), line)
            self.assertTrue(line.strip().endswith(": this user may not read it"), line)
        self.assertRegex(more, r"\Anot checked: \d+ more like these: run this as root\Z")
        self.assertEqual(verdict, "nothing to fix in what could be checked")

    def test_closed(self) -> None:
        """Each configuration file of K3s must be readable."""
        for path in (REGISTRIES, CONFIG, f"{CONFIG}.d/a.yaml"):
            self.node.write(path, "")
            os.chmod(self.node.place(path), 0o600)
            with another_user(self.node.prefix, path):
                result = self.doctor()
            self.assertEqual(result.exit_code, 2)
            self.assertEqual(
                result.stderr,
                f"Error: {path} cannot be read: this user may not read it: run this as root\n",
            )
            self.node.remove(path)

    def test_hostile(self) -> None:
        """Names that would do something to a terminal are shown as what they are."""
        self.set_registries('mirrors:\n  "\\e[31m\\u202ex":\n    endpoint: ["http://\\e[0m"]\n')
        for options in ((), ("--fix",), ("--json",)):
            output = self.doctor(*options).output
            self.assertNotIn("\x1b", output)
            self.assertNotIn("\u202e", output)
        self.assertIn("\\x1b[31m\\u202ex", self.doctor().output)

    def test_limited_time(self) -> None:
        """A command that takes too long is aborted."""
        with self.assertRaises(CouldNotLook) as raised, limited_time(0.01):
            while True:
                pass
        self.assertIn("not finished after 0.01 seconds", str(raised.exception))
