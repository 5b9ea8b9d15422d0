"""Finds the registry tree that a command is about: all commands look in the same order.

The order: ``--directory``; ``MINREG_ROOT``; ``./registry``; the tree of K3s, then of RKE2, on
this node. Where the directory was not named by ``--directory``, stderr says which one it is.
"""

import os
from collections.abc import Iterator, Mapping, Sequence

import click

from minreg.commands.reports import WrongUsage
from minreg.defaults import LOCAL_TREE, NODE_TREES
from minreg.text import printable

ROOT_VARIABLE = "MINREG_ROOT"

_MOST_DIRECTORIES = 5000
"""Directories that are read to tell whether there is a repository. It is found long before:
those near the root are read first, and repositories are at most a few levels below it."""


def find_tree(
    directory: str | None,
    environment: Mapping[str, str] = os.environ,
    node_trees: Sequence[str] = NODE_TREES,
) -> str:
    """Return the root of the tree that a command reads or changes.

    Args:
        directory: What ``--directory`` says, None where it is not given.
        environment: The environment variables.
        node_trees: Where this node may have a tree.

    Raises:
        WrongUsage: There is none, or what is named is no registry tree.
    """
    found = look_for_tree(directory, environment, node_trees)
    if found is None:
        others = ", ".join([LOCAL_TREE, *node_trees])
        raise WrongUsage(
            f"there is no registry tree here: none of {others} exists, or this user may not look "
            f"there: name its directory with --directory or {ROOT_VARIABLE}"
        )
    check_tree(found)
    return found


def look_for_tree(
    directory: str | None,
    environment: Mapping[str, str] = os.environ,
    node_trees: Sequence[str] = NODE_TREES,
) -> str | None:
    """Return the root of the tree as ``find_tree`` does, without looking into it.

    None if none is named and none of the usual ones is there.

    Raises:
        WrongUsage: What is named is no directory.
    """
    for name, path in (
        ("--directory", directory),
        (ROOT_VARIABLE, environment.get(ROOT_VARIABLE) or None),
    ):
        if path is not None:
            _check_directory(name, path)
            if name == ROOT_VARIABLE:
                _tell(path, f"from {ROOT_VARIABLE}")
            return path
    for path in (LOCAL_TREE, *node_trees):
        if os.path.isdir(path):
            _tell(path, f"name another one with --directory or {ROOT_VARIABLE}")
            return path
    return None


def choose_target(
    directory: str | None,
    environment: Mapping[str, str] = os.environ,
    node_trees: Sequence[str] = (),
) -> str:
    """Return the root of the tree that a command fills; it need not exist.

    The same order as in ``find_tree``; without any tree, a new one is ``./registry``.

    Args:
        directory: What ``--directory`` says, None where it is not given.
        environment: The environment variables.
        node_trees: The trees of this node that may be filled without being named.

    Raises:
        WrongUsage: What is named is there, and is no directory.
    """
    if directory is not None or environment.get(ROOT_VARIABLE):
        name = "--directory" if directory is not None else ROOT_VARIABLE
        path = directory if directory is not None else environment[ROOT_VARIABLE]
        if not path or (os.path.lexists(path) and not os.path.isdir(path)):
            raise WrongUsage(f"{name} {path!r} is no directory: name one, or a new name")
        if directory is None:
            _tell(path, f"from {ROOT_VARIABLE}")
        return path
    found = next(filter(os.path.isdir, (LOCAL_TREE, *node_trees)), LOCAL_TREE)
    _tell(found, f"name another one with --directory or {ROOT_VARIABLE}")
    return found


def check_tree(root: str) -> None:
    """Make sure that a directory is a registry tree, or may be one that cannot be read.

    Raises:
        WrongUsage: It has no repository in it, and was never written by minreg.
    """
    if os.path.exists(os.path.join(root, "oci-layout")):
        raise WrongUsage(f"{root} is an OCI image layout, no registry tree: minreg import {root}")
    if not _may_be_tree(root):
        raise WrongUsage(
            f"{root} is no registry tree: no repository is in it: name the right directory with "
            "--directory, or fill it with minreg download or minreg import"
        )


def _check_directory(name: str, path: str) -> None:
    if not os.path.isdir(path):
        problem = "is no directory" if os.path.lexists(path) else "does not exist"
        raise WrongUsage(f"{name} {path!r} {problem}: name the root of a registry tree")


def _may_be_tree(root: str) -> bool:
    """Return whether a repository, or minreg's own directory, is below a root."""
    if os.path.isdir(os.path.join(root, ".minreg")) or _has_release(root):
        return True
    waiting = [root]
    read: set[tuple[int, int]] = set()
    for number, directory in enumerate(waiting):
        if number >= _MOST_DIRECTORIES:
            return False
        try:
            status = os.stat(directory)
            # A link may lead to a directory above it.
            if (status.st_dev, status.st_ino) in read:
                continue
            read.add((status.st_dev, status.st_ino))
            names = list(_directories(directory))
        except PermissionError:
            # The command itself says what it cannot read.
            return True
        except OSError:
            continue
        if "manifests" in names and directory != root:
            return True
        waiting += [os.path.join(directory, name) for name in names if name != "blobs"]
    return False


def _has_release(root: str) -> bool:
    """Return whether a tree keeps the list of images of a K3s release."""
    try:
        return any(name.endswith(".txt") for name in os.listdir(os.path.join(root, "k3s")))
    except OSError:
        return False


def _directories(path: str) -> Iterator[str]:
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir():
                yield entry.name


def _tell(path: str, how: str) -> None:
    click.echo(printable(f"registry tree: {path} ({how})"), err=True)
