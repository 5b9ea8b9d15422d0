"""A real systemd as process 1 of its own namespaces.

It has none of this machine's units, and a ``/run`` and a ``/var/lib`` of its own.
"""

import glob
import os
import pty
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress

from tests.e2e.programs import ProgramFailed, do_without, need_programs, run

_PROGRAM = "/lib/systemd/systemd"
_TARGETS = "sysinit basic sockets shutdown multi-user local-fs paths timers slices umount"

# $1 is a directory for what would be below /var/lib, $2 one of units, $3 a control group, and
# $4 what else unshare is to be told.
_BOOT = f"""
set -e
echo $$ >"$3/cgroup.procs"
exec unshare --pid --fork --mount --uts --ipc --cgroup --kill-child $4 sh -ec '
mount --make-rprivate / && mount --make-rshared /
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs tmpfs /run
mount -t proc proc /proc
mkdir -p /run/lock /run/units
mount --bind "$1" /var/lib
mount --bind "$(tty)" /dev/console
for target in {_TARGETS}; do cp "/lib/systemd/system/$target.target" /run/units/; done
cp -a "$2"/. /run/units/
exec env -i PATH="$PATH" container=other SYSTEMD_UNIT_PATH=/run/units {_PROGRAM} \\
    --system --unit=multi-user.target --log-target=console --show-status=no
' sh "$1" "$2"
"""


class Systemd:
    """A systemd that runs some units until it is stopped.

    Args:
        units: A directory that holds the units, as ``/etc/systemd/system`` does.
        alone: Whether it has a network of its own, without any interface but ``lo``, instead
            of this machine's.
        script: What starts it, for ``sh``; its arguments are a directory for what is to be
            below ``/var/lib``, ``units``, a control group, and options of ``unshare``.
    """

    def __init__(self, units: str, *, alone: bool = False, script: str = _BOOT) -> None:
        need_programs("unshare", "nsenter", "systemctl")
        self._control_group = _make_control_group()
        self._directory = tempfile.TemporaryDirectory(prefix="minreg-")
        self.state = self._directory.name
        os.chmod(self.state, 0o755)
        self._terminal, terminal = pty.openpty()
        self._process = subprocess.Popen(
            [
                "sh",
                "-c",
                script,
                "sh",
                self.state,
                units,
                self._control_group,
                "--net" if alone else "",
            ],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        os.set_blocking(self._terminal, False)
        self._said = b""

    def wait_until_it_runs(self, seconds: float = 120) -> None:
        """Wait until it accepts commands; skip the test if it cannot run here."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.control("is-active", "basic.target")
                break
            except ProgramFailed:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    said = self.output()
                    self.stop()
                    do_without(f"needs root: systemd cannot run here: {said}")
                time.sleep(0.1)

    def control(self, *arguments: str) -> str:
        """Run ``systemctl``, and return its output."""
        return self.run("systemctl", *arguments)

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """Return a property of a unit."""
        listed = self.control("show", unit, f"--property={','.join(properties)}")
        return dict(line.split("=", 1) for line in listed.splitlines())

    def run(self, *command: str) -> str:
        """Run a program in the namespaces of the units, without their restrictions."""
        process = str(self.find_first_process())
        return run("nsenter", "--target", process, "--mount", "--pid", "--net", *command)

    def output(self) -> str:
        """Return the journal so far."""
        with suppress(BlockingIOError, OSError):
            while said := os.read(self._terminal, 65536):
                self._said += said
        return self._said.decode("utf-8", "replace").replace("\r\n", "\n")

    def stop(self) -> None:
        """Stop it and everything that it runs."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)
        with suppress(OSError):
            os.close(self._terminal)
        deadline = time.monotonic() + 30
        while not _remove_control_group(self._control_group) and time.monotonic() < deadline:
            time.sleep(0.05)
        self._directory.cleanup()

    def find_first_process(self) -> int:
        """Return the process that is number 1 in its namespace: a child of ``unshare``."""
        children = _children(self._process.pid)
        if not children:
            raise ProgramFailed(f"systemd does not run:\n{self.output()}")
        return children[0]


def _children(process: int) -> Sequence[int]:
    with suppress(FileNotFoundError):
        with open(f"/proc/{process}/task/{process}/children", encoding="ascii") as file:
            return [int(number) for number in file.read().split()]
    return []


def _make_control_group() -> str:
    """Create a control group of version 2, wherever that is mounted."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        places = [line.split()[1] for line in mounts if line.split()[2] == "cgroup2"]
    if not places:
        do_without("systemd needs a file system of type cgroup2: mount one")
    try:
        return tempfile.mkdtemp(prefix="minreg-", dir=places[0])
    except OSError as error:
        do_without(f"needs root: systemd cannot run here: {error.strerror}")


def _remove_control_group(path: str) -> bool:
    places = glob.glob(f"{path}/**/", recursive=True)
    with suppress(FileNotFoundError):
        try:
            for place in sorted(places, key=len, reverse=True):
                os.rmdir(place)
        except OSError:
            return False
    return True
