"""README's steps for a K3s node, pasted, on a bare node with a systemd of its own.

Everything of minreg is real: wheels that pip builds from this repository and installs without an
index, the units under systemd, and containerd, which pulls through them. K3s is not: its binary
and its install script are stand-ins (``k3s_stand_in``) that refuse what K3s refuses and leave what
it leaves. Nor is README's download from upstream registries made: the tree is made here. Where the
kernel has no dummy interfaces, a bridge takes the place of the one for the default route.
"""

import os
import shutil
import subprocess
import tempfile
from functools import cache

from tests.e2e.content import ARCHITECTURE, sample_image
from tests.e2e.images import only_platform
from tests.e2e.k3s_stand_in import CALLS, write_stand_in
from tests.e2e.node_root import NodeRoot, need_system_python
from tests.e2e.programs import ProgramFailed, do_without, run
from tests.e2e.support import EndToEndTestCase
from tests.e2e.trees import FieldTree
from tests.nodes import PAUSE
from tests.readme import read_command

_REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
_BUILT = ("pyproject.toml", "README.md", "LICENSE", "src")
_PROGRAM = "/opt/minreg/bin/minreg"
_CERTS = "/var/lib/rancher/k3s/agent/etc/containerd/certs.d"
_SERVER = "/var/lib/rancher/k3s/server"
_WRITTEN = ("/etc/systemd/system", "/etc/rancher", "/usr/local/bin")
_IP = """\
#!/bin/sh
[ "$*" = "link add minreg0 type dummy" ] && set -- link add minreg0 type bridge
exec /usr/bin/ip "$@"
"""
_CONTAINERD = """\
version = 2
root = "/var/lib/test/root"
state = "/run/test"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
"""
_CONTAINERD_UNIT = "[Service]\nType=notify\nExecStart=containerd --config /etc/containerd.toml\n"


@cache
def _directory() -> tempfile.TemporaryDirectory[str]:
    """Make a directory that all tests share; it goes when the last of them has ended."""
    return tempfile.TemporaryDirectory(prefix="minreg-")


@cache
def _carried() -> str:
    """Make what is carried to a node, once for all tests, as README's first step does."""
    python = need_system_python()
    directory = os.path.join(_directory().name, "carried")
    os.mkdir(directory)
    for name in _BUILT:
        source, target = os.path.join(_REPOSITORY, name), os.path.join(directory, name)
        (shutil.copytree if os.path.isdir(source) else shutil.copyfile)(source, target)
    path = f"{os.path.dirname(python)}:{os.environ['PATH']}"
    ended = subprocess.run(
        ["env", "-u", "PYTHONPATH", "sh", "-euc", read_command("carry")],
        cwd=directory,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if ended.returncode != 0:
        do_without(
            f"pip has no package index here, or cannot build wheels: {ended.stderr[-2000:]}"
        )
    tree = FieldTree(os.path.join(directory, "registry"))
    tree.add(PAUSE, "3.6", only_platform(sample_image(), ARCHITECTURE))
    run("tar", "-C", directory, "-czf", f"{directory}/registry-content.tar.gz", "registry")
    write_stand_in(directory)
    return directory


class NodeStepsTestCase(EndToEndTestCase):
    """A bare node, to which everything was carried."""

    def setUp(self) -> None:
        """Start the node, without a default route."""
        self.need_programs("unshare", "nsenter", "systemctl", "ip", "curl")
        self.need_programs("containerd", "ctr", "skopeo")
        self.need_to_mount()
        carried = _carried()
        root = self.make_directory()
        self.node = NodeRoot(root, need_system_python())
        self.addCleanup(self.node.stop)
        self.node.wait_until_it_runs()
        for name in ("wheels", "registry-content.tar.gz", "k3s", "install.sh"):
            source, target = os.path.join(carried, name), os.path.join(root, "root", name)
            (shutil.copytree if os.path.isdir(source) else shutil.copyfile)(source, target)
        if not _has_dummy():
            self.write("/usr-local-bin/ip", _IP, mode=0o755)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of the node."""
        place = self.node.root + path
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(place, mode)

    def paste(self, script: str, status: int = 0) -> str:
        """Paste lines on the node, check how they end, and return what they print."""
        ended = self.node.shell(script)
        self.assertEqual(ended.returncode, status, ended.stdout)
        self.assertNotIn("Traceback", ended.stdout)
        return ended.stdout

    def written(self) -> str:
        """Return what minreg may have written on the node, with the times of changes."""
        places = " ".join(_WRITTEN)
        return self.paste(
            f"find {places} -printf '%p %T@ %i %l\\n' | sort; find {places} -type f | xargs md5sum"
        )


class StepsTests(NodeStepsTestCase):
    """Tests for README's steps from beginning to end."""

    def test_without_default_route(self) -> None:
        """They end with a K3s that runs and a doctor that finds nothing, on an isolated node."""
        shown = self.paste(read_command("node"))
        self.assertIn("minreg-route.service: started\n", shown)
        self.assertIn("http://127.0.0.1:9080: responds\n", shown)
        self.assertIn("default via 203.0.113.255", self.node.run("ip", "route"))
        self.check_rest()
        self.check_uninstall()

    def test_with_default_route(self) -> None:
        """They do on a node with a default route as well, which stays the only one."""
        self.paste(
            "ip link add lan type bridge; ip address add 192.0.2.1/24 dev lan; "
            "ip link set lan up; ip route add default via 192.0.2.254"
        )
        shown = self.paste(read_command("node"))
        self.assertNotIn("minreg-route.service: started", shown)
        routes = self.node.run("ip", "-4", "route", "show", "default")
        self.assertEqual(routes.count("default"), 1)
        self.check_rest()

    def check_rest(self) -> None:
        """Check a second run, K3s, the doctor, and that an image can be pulled."""
        before = self.written()
        again = self.paste("minreg node install --start")
        self.assertEqual(self.written(), before)
        for line in again.splitlines():
            if line.startswith("/"):
                self.assertTrue(line.endswith(": already up to date"), line)
        self.assertIn("minreg.service: already running\n", again)
        self.paste(read_command("k3s"))
        self.assertEqual(self.node.run("cat", CALLS), "server --disable=traefik\n")
        self.paste("minreg doctor")
        self.paste("minreg node install --start")
        self.check_pull()

    def check_pull(self) -> None:
        """Have a containerd pull the pause image by the files that K3s has for it."""
        self.write("/etc/containerd.toml", _CONTAINERD)
        self.write("/etc/systemd/system/containerd.service", _CONTAINERD_UNIT)
        image = f"bootstrap-registry.airgap/{PAUSE}:3.6"
        shown = self.paste(
            "systemctl start containerd\n"
            f"ctr images pull --snapshotter native --hosts-dir {_CERTS} {image} >pulled 2>&1\n"
            "ctr images list --quiet"
        )
        self.assertEqual(shown, f"{image}\n")

    def check_uninstall(self) -> None:
        """Check that all is taken away again, and that nothing runs any more."""
        shown = self.paste(f"{_PROGRAM} node uninstall --stop")
        self.assertIn("minreg.service: stopped\n", shown)
        left = self.paste("find /etc/systemd /etc/rancher /usr/local/bin -name '*minreg*'")
        self.assertEqual(left, "")
        self.assertEqual(self.paste("find /etc/rancher -type f"), "")
        self.assertEqual(self.node.run("ip", "-4", "route", "show", "default"), "")
        self.paste("curl -s http://127.0.0.1:9080/v2/", status=7)


class FailureTests(NodeStepsTestCase):
    """Tests for nodes on which minreg cannot be started."""

    def setUp(self) -> None:
        """Do README's steps up to the last."""
        super().setUp()
        self.last = f"{_PROGRAM} node install --start"
        unpack, marker, rest = read_command("node").partition("python3 -m venv")
        install = rest.removesuffix(self.last)
        self.assertNotEqual(install, rest)
        program, kept = f"{self.node.root}/opt/minreg", os.path.join(_directory().name, "minreg")
        self.paste(unpack)
        if os.path.exists(kept):
            shutil.copytree(kept, program, symlinks=True)
        else:
            self.paste(f"{marker}{install}")
            shutil.copytree(program, kept, symlinks=True)

    def test_wrong_places(self) -> None:
        """Who is not root, and where systemd does not run, is told so in one line."""
        ended = self.node.shell(self.last, user="65534")
        message = "Error: --start needs root's rights: run this as root\n"
        self.assertEqual((ended.returncode, ended.stdout), (1, message))
        shown = self.paste(f"unshare --mount sh -c 'mount -t tmpfs x /run; {self.last}'", status=1)
        self.assertEqual(
            shown,
            "Error: --start needs systemd, which does not run on this machine: leave --start "
            "off, or run this on the node\n",
        )
        dry = self.paste(f"{self.last} --dry-run")
        self.assertIn("/etc/rancher/k3s/registries.yaml: would be written\n", dry)
        self.assertEqual(self.paste("find /etc /usr/local/bin -name '*minreg*'"), "")
        shown = self.paste(self.last.removesuffix(" --start"))
        self.assertTrue(shown.endswith("next: minreg node install --start\n"), shown)
        self.assertEqual(self.node.shell("systemctl is-active minreg.socket").returncode, 3)

    def test_port_taken(self) -> None:
        """A port that is taken is named, with the server that answers there."""
        self.paste(
            "systemd-run --unit=other python3 -m http.server --bind 127.0.0.1 9080; "
            "until curl -s -o /dev/null http://127.0.0.1:9080/; do sleep 0.1; done"
        )
        shown = self.paste(self.last, status=1)
        self.assertIn("minreg.socket: Failed to listen on sockets: ", shown)
        self.assertIn("[port-taken]", shown)
        self.assertIn("another program responds at http://127.0.0.1:9080: SimpleHTTP", shown)
        self.assertTrue(
            shown.endswith(
                "Error: minreg.socket does not start: see its log above; fix that, and run "
                "this again\n"
            ),
            shown,
        )
        self.paste("systemctl stop other")
        self.paste(self.last)

    def test_unit_fails(self) -> None:
        """A service that does not start shows the last lines of its log."""
        self.write(
            "/etc/systemd/system/minreg.service.d/options.conf",
            '[Service]\nEnvironment="MINREG_OPTIONS=--frobnicate"\n',
        )
        shown = self.paste(self.last, status=1)
        self.assertIn("frobnicate", shown)
        self.assertIn("Error: minreg.service does not start: ", shown)
        self.paste("rm -r /etc/systemd/system/minreg.service.d")
        self.paste(self.last)

    def test_root_missing(self) -> None:
        """A tree that is not there is what the doctor says, and is served once it is."""
        self.paste(f"mv {_SERVER}/registry /root/registry")
        shown = self.paste(self.last, status=1)
        self.assertIn("http://127.0.0.1:9080: responds, but has no registry tree yet\n", shown)
        self.assertIn("[root-missing]", shown)
        self.paste(f"cp -a /root/registry/. {_SERVER}/registry/")
        self.paste("minreg doctor")

    def test_upgrade(self) -> None:
        """After an upgrade, the new program runs."""
        self.paste(self.last)
        number = "systemctl show minreg -p MainPID"
        before = self.paste(number)
        self.assertIn("minreg.service: already running", self.paste(self.last))
        self.assertEqual(self.paste(number), before)
        install = "/opt/minreg/bin/pip install --no-index --find-links wheels"
        self.paste(f"{install} --no-deps --force-reinstall minreg")
        self.assertIn("minreg.service: restarted\n", self.paste(self.last))
        self.assertNotEqual(self.paste(number), before)


@cache
def _has_dummy() -> bool:
    """Return whether the kernel has interfaces of this kind."""
    try:
        run("unshare", "--net", "ip", "link", "add", "probe", "type", "dummy")
    except ProgramFailed:
        return False
    return True
