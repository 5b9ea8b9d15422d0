"""How this program was started, and how to start it again.

minreg is installed with pip into the environment of a Python, or is a program of its own that
contains Python. Such a program sets ``sys.frozen``, as PyInstaller and cx_Freeze do, and
``sys.executable`` is then its own path.
"""

import os
import sys

WORKER = "worker"
"""The first argument of ``python -m minreg`` that makes it a worker process."""


def is_standalone() -> bool:
    """Return whether this is a program of its own, which needs no installed Python."""
    return bool(getattr(sys, "frozen", False))


def own_program() -> str:
    """Return the path of the ``minreg`` command of this installation."""
    if is_standalone():
        return sys.executable
    from sysconfig import get_path  # noqa: PLC0415 - the daemon does not need it

    return os.path.join(get_path("scripts"), "minreg")


def installed_file() -> str:
    """Return a file or directory that every installation of this program changes."""
    if is_standalone():
        return sys.executable
    from sysconfig import get_path  # noqa: PLC0415 - the daemon does not need it

    return get_path("purelib")


def worker_command() -> list[str]:
    """Return the command that starts a worker process; its settings are one more argument."""
    module = [] if is_standalone() else ["-m", "minreg"]
    return [sys.executable, *module, WORKER]


def reinstall_hint() -> str:
    """Return what to do if a library is not installed."""
    if is_standalone():
        return "reinstall minreg: its files are not complete"
    return (
        "reinstall minreg; without a network, from its wheels: "
        "pip install --no-index --find-links wheels minreg"
    )
