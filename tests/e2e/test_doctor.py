"""``minreg doctor`` as an operator runs it, on nodes in directories and on one that runs."""

import os
import subprocess
import sys

import attrs

from tests.doctor_support import MIRRORS
from tests.e2e.daemon import Daemon
from tests.e2e.programs import free_port, installed, run
from tests.e2e.support import EndToEndTestCase
from tests.filled_tree import FilledTree
from tests.nodes import CONFIG, PAUSE, REGISTRIES, NodeBuilder, elf

_ROOT = "/var/lib/rancher/k3s/server/registry"
# What the tests' machine has, or lacks, is not what these tests are about.
_OF_THE_MACHINE = frozenset({"default-route", "platform"})


@attrs.frozen
class FetchResult:
    """How a run ended."""

    status: int
    output: str

    @property
    def rules(self) -> set[str]:
        """The rules that were found to be broken, those of the machine apart."""
        heads = (line for line in self.output.splitlines() if line.endswith("]"))
        return {head.rpartition("[")[2].rstrip("]") for head in heads} - _OF_THE_MACHINE


class DoctorTestCase(EndToEndTestCase):
    """A node that was set up by ``minreg node install``, and by K3s."""

    def setUp(self) -> None:
        """Set the node up."""
        self.node = NodeBuilder(os.path.join(self.make_directory(), "node"))
        self.node.install_k3s()
        self.node.write("/usr/bin/env", elf(62))
        run(
            *(installed("minreg"), "node", "install", "--destdir", self.node.prefix),
            *("--program", "/opt/minreg/bin/minreg"),
        )
        self.node.tree.add_image(PAUSE, "amd64", b"pause", tags=("3.6",))
        self.node.start_k3s()

    def doctor(self, *arguments: str) -> FetchResult:
        """Run the program on the node as it lies there."""
        return self.run_command(
            installed("minreg"), "doctor", "--root-prefix", self.node.prefix, *arguments
        )

    def run_command(self, *command: str) -> FetchResult:
        """Run a program, however it ends."""
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        self.assertNotIn("Traceback", ended.stderr)
        return FetchResult(ended.returncode, ended.stdout)


class LyingNodeTests(DoctorTestCase):
    """Tests on a node that does not run."""

    def test_healthy(self) -> None:
        """What ``minreg node install`` and K3s leave has no finding."""
        outcome = self.doctor()
        self.assertEqual((outcome.status, outcome.rules), (0, set()), outcome.output)

    def test_written(self) -> None:
        """What ``minreg registries`` writes has no finding, whatever it was asked for."""
        self.node.tree.add_image("quay.io/a/b", "amd64", b"layer", tags=("1",))
        for arguments in (
            (),
            ("--wildcard",),
            ("docker.io", "registry.example:5000"),
            ("--endpoint", "http://127.0.0.1:9080", "--endpoint", "https://192.0.2.1:9443"),
            (
                *("--endpoint", "http://127.0.0.1:9080"),
                *("--endpoint", "https://registry.example", "--insecure-skip-verify"),
            ),
        ):
            run(
                *(installed("minreg"), "registries", "-d", self.node.tree.root, *arguments),
                *("--output", self.node.place(REGISTRIES)),
            )
            self.node.restart_k3s()
            outcome = self.doctor()
            self.assertEqual((outcome.status, outcome.rules), (0, set()), arguments)

    def test_fixed(self) -> None:
        """The diff, applied with patch as the advice says, fixes the node."""
        self.need_programs("patch")
        local = "http://127.0.0.1:9080"
        for registries in (
            MIRRORS.replace("  bootstrap", "\tbootstrap").replace("    endpoint", "\t\tendpoint"),
            MIRRORS.replace("bootstrap-registry.airgap", "*"),
            MIRRORS.replace("mirrors", "Mirrors"),
            MIRRORS.replace("endpoint", "endpoints"),
            MIRRORS.replace("http:", "https:"),
            f"{MIRRORS}  https://docker.io/:\n    endpoint: ['{local}']\n",
            f"{MIRRORS}    rewrite:\n      ^rancher: rancher/$1\n",
            (
                f"{MIRRORS}  a.example:\n    endpoint: ['https://b.example:5000']\n"
                "configs:\n  a.example:\n    tls: {insecure_skip_verify: true}\n"
            ),
        ):
            self.node.write(REGISTRIES, registries)
            self.assertEqual(self.doctor().status, 1, registries)
            self.fix()
            outcome = self.doctor()
            self.assertEqual((outcome.status, outcome.rules), (0, set()), registries)

    def test_fixed_names(self) -> None:
        """The diff also renames a file, and fixes settings of K3s."""
        self.need_programs("patch")
        self.node.remove(REGISTRIES)
        self.node.write("/etc/rancher/k3s/registries.yml", MIRRORS)
        self.node.write(CONFIG, "system-default-registry: bootstrap-registry.airgap")
        self.fix()
        self.assertEqual(self.doctor().rules, {"default-endpoint"})
        self.fix()
        self.assertEqual(self.doctor().rules, set())
        self.node.remove(REGISTRIES)
        self.fix()
        self.assertEqual(self.doctor().rules, set())

    def fix(self) -> None:
        """Apply the diff, and restart K3s."""
        difference = self.doctor("--fix").output
        subprocess.run(
            ["patch", "-p1", "--silent", "-d", self.node.prefix],
            input=difference.encode(),
            check=True,
        )
        self.node.restart_k3s()


class RunningNodeTests(DoctorTestCase):
    """Tests on a node that runs: its files lie where those of the tests' machine would."""

    def setUp(self) -> None:
        """Let minreg listen on a port that is free, and K3s know of it."""
        super().setUp()
        self.need_to_mount()
        self.port = free_port()
        self.node.replace("/etc/systemd/system/minreg.socket", ":9080", f":{self.port}")
        self.node.replace(REGISTRIES, ":9080", f":{self.port}")
        self.node.restart_k3s()

    def live_doctor(self) -> FetchResult:
        """Run the program where the node's files are those of the machine."""
        prefix = self.node.prefix
        script = (
            f"mount --bind {prefix}/etc /etc && mount --bind {prefix}/var/lib /var/lib && "
            f"exec {installed('minreg')} doctor"
        )
        return self.run_command("unshare", "--mount", "sh", "-c", script)

    def start(self, root: str) -> Daemon:
        """Serve a tree where minreg should listen."""
        daemon = Daemon(root, self.make_directory(), "--port", str(self.port))
        daemon.port = self.port
        self.addCleanup(daemon.stop)
        daemon.wait_until_it_answers()
        return daemon

    def test_running(self) -> None:
        """The registry that runs is asked: it serves the tree, or another, or does not run."""
        daemon = self.start(self.node.place(_ROOT))
        outcome = self.live_doctor()
        self.assertEqual(outcome.rules, set(), outcome.output)
        self.assertEqual(
            {(one.method, one.path, one.namespace, one.status) for one in daemon.requests()},
            {
                ("HEAD", "/v2/", "", 200),
                (
                    "HEAD",
                    f"/v2/{PAUSE}/manifests/3.6",
                    "bootstrap-registry.airgap",
                    200,
                ),
            },
        )
        daemon.stop()
        self.assertEqual(self.live_doctor().rules, {"registry-silent"})
        other = FilledTree(os.path.join(self.make_directory(), "tree"))
        other.add_image(PAUSE, "amd64", b"another", tags=("3.6",))
        self.start(other.root)
        self.assertEqual(self.live_doctor().rules, {"registry-differs"})

    def test_taken(self) -> None:
        """Another server in minreg's place is no minreg."""
        server = subprocess.Popen(
            [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(self.port)],
            cwd=self.make_directory(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        self.wait_until(lambda: "port-taken" in self.live_doctor().rules)
