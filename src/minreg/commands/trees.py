"""Finds the registry tree that a command reads or changes, in the same order for all commands.

The order is: ``--directory``; ``MINREG_ROOT``; ``./registry``; the tree of K3s, then of RKE2, on
this node. Without ``--directory``, the path is written to standard error.
"""

import os
from collections.abc import Iterator, Mapping, Sequence

import click

from minreg.commands.reports import WrongUsage
from minreg.defaults import LOCAL_TREE, NODE_TREES
from minreg.text import printable

ROOT_VARIABLE = "MINREG_ROOT"

_MAX_DIRECTORIES = 5000
"""The number of directories that are searched for a repository.

Directories near the root are read first, and repositories are only a few levels below it, so a
tree is recognized after far fewer.
"""


def find_tree(
    directory: str | None,
    environment: Mapping[str, str] = os.environ,
    node_trees: Sequence[str] | None = None,
) -> str:
    """Return the root of the tree that a command reads or changes.

    Args:
        directory: The value of ``--directory``, None if it is not used.
        environment: The environment variables.
        node_trees: The paths of the trees of this node, ``NODE_TREES`` if None.

    Raises:
        WrongUsage: There is none, or the directory is not a registry tree.
    """
    node_trees = NODE_TREES if node_trees is None else node_trees
    root = find_root(directory, environment, node_trees)
    if root is None:
        others = ", ".join([LOCAL_TREE, *node_trees])
        raise WrongUsage(
            f"no registry tree found: none of {others} exists, or this user may not read it: "
            f"name its directory with --directory or {ROOT_VARIABLE}"
        )
    check_tree(root)
    return root


def find_root(
    directory: str | None,
    environment: Mapping[str, str] = os.environ,
    node_trees: Sequence[str] | None = None,
) -> str | None:
    """Return the root of the tree as ``find_tree`` does, without checking that it is a tree.

    Returns:
        The directory, None if none is named and none of the default ones exists.

    Raises:
        WrongUsage: A named directory does not exist.
    """
    node_trees = NODE_TREES if node_trees is None else node_trees
    for name, path in (
        ("--directory", directory),
        (ROOT_VARIABLE, environment.get(ROOT_VARIABLE) or None),
    ):
        if path is not None:
            _check_directory(name, path)
            if name == ROOT_VARIABLE:
                _announce(path, f"from {ROOT_VARIABLE}")
            return path
    for path in (LOCAL_TREE, *node_trees):
        if os.path.isdir(path):
            _announce(path, f"use --directory or {ROOT_VARIABLE} for another one")
            return path
    return None


def choose_target(
    directory: str | None,
    environment: Mapping[str, str] = os.environ,
    node_trees: Sequence[str] = (),
) -> str:
    """Return the root of the tree that a command fills, which need not exist.

    The order is that of ``find_tree``. If there is no tree, it is ``./registry``.

    Args:
        directory: The value of ``--directory``, None if it is not used.
        environment: The environment variables.
        node_trees: The paths of the trees of this node that may be filled by default.

    Raises:
        WrongUsage: The path exists, and is not a directory.
    """
    if directory is not None or environment.get(ROOT_VARIABLE):
        name = "--directory" if directory is not None else ROOT_VARIABLE
        path = directory if directory is not None else environment[ROOT_VARIABLE]
        if not path or (os.path.lexists(path) and not os.path.isdir(path)):
            raise WrongUsage(
                f"{name} {path!r} is not a directory: name a directory, which need not exist"
            )
        if directory is None:
            _announce(path, f"from {ROOT_VARIABLE}")
        return path
    root = next(filter(os.path.isdir, (LOCAL_TREE, *node_trees)), LOCAL_TREE)
    _announce(root, f"use --directory or {ROOT_VARIABLE} for another one")
    return root


def check_tree(root: str) -> None:
    """Check that a directory is a registry tree, or cannot be read.

    Raises:
        WrongUsage: It has neither a repository nor a directory ``.minreg``.
    """
    if os.path.exists(os.path.join(root, "oci-layout")):
        raise WrongUsage(
            f"{root} is an OCI image layout, not a registry tree: use minreg import {root}"
        )
    if not _may_be_tree(root):
        raise WrongUsage(
            f"{root} is not a registry tree: it has no repository: name the right directory with "
            "--directory, or fill it with minreg download or minreg import"
        )


def _check_directory(name: str, path: str) -> None:
    if not os.path.isdir(path):
        problem = "is not a directory" if os.path.lexists(path) else "does not exist"
        raise WrongUsage(f"{name} {path!r} {problem}: name the root of a registry tree")


def _may_be_tree(root: str) -> bool:
    """Return whether a repository or minreg's own directory is below a root."""
    if os.path.isdir(os.path.join(root, ".minreg")) or _has_release(root):
        return True
    queue = [root]
    read: set[tuple[int, int]] = set()
    for number, directory in enumerate(queue):
        if number >= _MAX_DIRECTORIES:
            return False
        try:
            status = os.stat(directory)
            # A symbolic link may lead to a directory above it.
            if (status.st_dev, status.st_ino) in read:
                continue
            read.add((status.st_dev, status.st_ino))
            names = list(_subdirectories(directory))
        except PermissionError:
            # The command itself reports what it cannot read.
            return True
        except OSError:
            continue
        if "manifests" in names and directory != root:
            return True
        queue += [os.path.join(directory, name) for name in names if name != "blobs"]
    return False


def _has_release(root: str) -> bool:
    """Return whether a tree has the image list of a K3s release."""
    try:
        return any(name.endswith(".txt") for name in os.listdir(os.path.join(root, "k3s")))
    except OSError:
        return False


def _subdirectories(path: str) -> Iterator[str]:
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir():
                yield entry.name


def _announce(path: str, hint: str) -> None:
    click.echo(printable(f"registry tree: {path} ({hint})"), err=True)
