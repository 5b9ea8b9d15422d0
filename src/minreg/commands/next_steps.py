"""The commands to run after a tree was filled: to copy it to a node, or to serve it."""

import os
import shlex
import shutil
import sys

from minreg.defaults import DEFAULT_ROOT, LOCAL_TREE

_ARCHIVE = "registry-content.tar.gz"
_NAME_IN_ARCHIVE = "registry"
"""The name of the directory in the archive, as in the guides."""


def own_command() -> str:
    """Return how to call this program in a shell: ``minreg``, or its path if it is not found."""
    program = sys.argv[0]
    if os.path.basename(program) != "minreg" or "/" not in program:
        return "minreg"
    path = shutil.which("minreg")
    is_found = path is not None and os.path.realpath(path) == os.path.realpath(program)
    return "minreg" if is_found else shlex.quote(program)


def list_next_steps(directory: str, *, is_verified: bool) -> list[str]:
    """Return the commands to run after a tree was filled.

    Args:
        directory: The root of the tree.
        is_verified: Whether its content was just hashed, so that verifying it is not needed.
    """
    minreg = own_command()
    path = os.path.normpath(directory)
    if os.path.abspath(path) == DEFAULT_ROOT:
        return [f"{minreg} doctor"]
    parent, name = os.path.split(path)
    if name == _NAME_IN_ARCHIVE:
        option = f"-C {shlex.quote(parent)} " if parent else ""
        pack = f"tar {option}-czf {_ARCHIVE} {name}"
    else:
        # GNU tar renames "." in the archive; the flag S excludes the targets of symbolic links.
        option = f"--transform 's,^\\.,{_NAME_IN_ARCHIVE},S'"
        pack = f"tar -C {shlex.quote(path)} {option} -czf {_ARCHIVE} ."
    tree = "" if directory == LOCAL_TREE else f" -d {shlex.quote(directory)}"
    copy = pack if is_verified else f"{minreg} verify{tree} && {pack}"
    return [copy, f"{minreg} serve --root {shlex.quote(path)}"]
