"""What to run once a tree is filled: carry it, or serve it."""

import os
import shlex
import shutil
import sys

_NODE_DIRECTORY = "/var/lib/rancher/k3s/server/registry"
_DEFAULT_DIRECTORY = "./registry"
_ARCHIVE = "registry-content.tar.gz"
_NAME_IN_ARCHIVE = "registry"
"""What the guides unpack on the node."""


def own_command() -> str:
    """Name the running command as a shell finds it: ``minreg``, or its path if that is needed."""
    program = sys.argv[0]
    if os.path.basename(program) != "minreg" or "/" not in program:
        return "minreg"
    found = shutil.which("minreg")
    is_found = found is not None and os.path.realpath(found) == os.path.realpath(program)
    return "minreg" if is_found else shlex.quote(program)


def after_filling(directory: str, *, is_verified: bool) -> list[str]:
    """Name the commands that make sense once a tree is filled.

    Args:
        directory: The tree.
        is_verified: Whether the content was just hashed, so that there is nothing to verify.
    """
    minreg = own_command()
    path = os.path.normpath(directory)
    if os.path.abspath(path) == _NODE_DIRECTORY:
        return [f"{minreg} doctor"]
    parent, name = os.path.split(path)
    if name == _NAME_IN_ARCHIVE:
        where = f"-C {shlex.quote(parent)} " if parent else ""
        pack = f"tar {where}-czf {_ARCHIVE} {name}"
    else:
        # GNU tar renames "." in the archive; S leaves alone where links lead.
        renamed = f"--transform 's,^\\.,{_NAME_IN_ARCHIVE},S'"
        pack = f"tar -C {shlex.quote(path)} {renamed} -czf {_ARCHIVE} ."
    tree = "" if directory == _DEFAULT_DIRECTORY else f" -d {shlex.quote(directory)}"
    carry = pack if is_verified else f"{minreg} verify{tree} && {pack}"
    return [carry, f"{minreg} serve --root {shlex.quote(path)}"]
