"""A bare node with its own file system, network and systemd, for tests of the whole setup.

Of the machine that the tests run on it has ``/usr``, which cannot be written to, without what
somebody put into ``/usr/local/bin``. All the rest is empty: no K3s, no minreg, no configuration,
no network but ``lo``.
"""

import os
import shutil
import subprocess

from tests.e2e.programs import ProgramFailed, do_without, run
from tests.e2e.systemd import Systemd

_PYTHONS = ("/usr/bin/python3", "/usr/local/bin/python3")
_PATH = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TARGETS = "sysinit basic sockets shutdown multi-user local-fs paths timers slices umount"
_UNITS = "systemd-journald.service systemd-journald.socket"
_DIRECTORIES = (
    *("dev", "etc/systemd/system", "home", "opt", "proc", "root", "run", "sys", "tmp", "usr"),
    *("var/lib", "var/log", "var/tmp", "old", "usr-local-bin"),
)
_FILES = {
    "etc/passwd": "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/os-release": "ID=test\n",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    # The kernel's messages are those of the machine.
    "etc/systemd/journald.conf": "[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\n",
}

# $2 is the directory that becomes the root, $3 a control group.
_BOOT = f"""
set -e
echo $$ >"$3/cgroup.procs"
exec unshare --pid --fork --mount --uts --ipc --cgroup --net --kill-child sh -ec '
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount --rbind /usr usr
mount --bind usr-local-bin usr/local/bin
mount -o remount,bind,ro usr
mount --rbind /dev dev
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 none sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
mount --bind "$(tty)" dev/console
mkdir -p run/lock run/units/sysinit.target.wants
for unit in {_UNITS}; do cp "usr/lib/systemd/system/$unit" run/units/; done
ln -s ../systemd-journald.service run/units/sysinit.target.wants/
for target in {_TARGETS}; do cp "usr/lib/systemd/system/$target.target" run/units/; done
pivot_root . old
umount -l /old
mount --make-rshared /
exec env -i PATH={_PATH} container=other SYSTEMD_UNIT_PATH=/etc/systemd/system:/run/units \\
    /usr/lib/systemd/systemd --system --unit=multi-user.target --log-target=journal \\
    --show-status=no
' sh "$2"
"""


def need_system_python() -> str:
    """Find a Python outside of home directories that can create virtual environments, or skip.

    Returns:
        The path of the program.
    """
    found = next(filter(_can_make_environments, _PYTHONS), None)
    if found is None:
        do_without("the system has no Python 3.11 with venv: apt install python3-venv")
    return found


def _can_make_environments(path: str) -> bool:
    # Trial gives its workers a PYTHONPATH with the library of another Python.
    try:
        run(
            "env",
            "-u",
            "PYTHONPATH",
            path,
            "-c",
            "import ensurepip, ssl, sys; sys.exit(sys.version_info < (3, 11))",
        )
    except (ProgramFailed, FileNotFoundError):
        return False
    return True


class NodeRoot(Systemd):
    """A node after its first boot.

    Args:
        root: An empty directory, which becomes the root of the node.
        python: The Python of the node.
    """

    def __init__(self, root: str, python: str) -> None:
        self.root = root
        os.chmod(root, 0o755)
        for name in _DIRECTORIES:
            os.makedirs(os.path.join(root, name))
        os.chmod(os.path.join(root, "var/tmp"), 0o1777)
        for path, text in _FILES.items():
            with open(os.path.join(root, path), "w", encoding="ascii") as file:
                file.write(text)
        os.symlink("../run", os.path.join(root, "var/run"))
        for name in ("bin", "sbin", "lib", "lib64"):
            if os.path.exists(f"/usr/{name}"):
                os.symlink(f"usr/{name}", os.path.join(root, name))
        if os.path.isdir("/etc/alternatives"):
            shutil.copytree("/etc/alternatives", f"{root}/etc/alternatives", symlinks=True)
        programs = os.path.dirname(python)
        for name in os.listdir(programs) if programs == "/usr/local/bin" else ():
            if name.startswith("python"):
                shutil.copy2(f"{programs}/{name}", f"{root}/usr-local-bin/", follow_symlinks=False)
        super().__init__(root, script=_BOOT)

    def run(self, *command: str) -> str:
        """Run a program on the node, and return its output."""
        return run(*self._enter(), *command, seconds=120)

    def shell(self, script: str, *, user: str = "root") -> subprocess.CompletedProcess[str]:
        """Run lines in a shell in ``/root``, until one fails.

        Args:
            script: The lines.
            user: Who runs them.

        Returns:
            How that ended; ``stdout`` has both outputs.
        """
        become = ["setpriv", "--reuid", user, "--clear-groups"] if user != "root" else []
        return subprocess.run(
            [*self._enter(), *become, "sh", "-euc", f"cd /tmp; cd /root || :\n{script}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=180,
            check=False,
        )

    def _enter(self) -> list[str]:
        process = str(self.find_first_process())
        return [
            *("nsenter", "--target", process, "--mount", "--pid", "--net", "--uts", "--ipc"),
            *("env", "-i", f"PATH={_PATH}", "HOME=/root"),
        ]
