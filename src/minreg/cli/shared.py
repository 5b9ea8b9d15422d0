"""Options of several commands."""

import os
from typing import Any

import click
from click.shell_completion import CompletionItem

from minreg.defaults import ENDPOINT, LOCAL_TREE, NODE_TREES, STATUS_SOCKET


class NonEmptyPath(click.Path):
    """A path that is not empty.

    A script that passes a variable that is not set passes an empty string. Python and the kernel
    take that for the current directory, or for the root of the file system.
    """

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """Return the path.

        Raises:
            click.BadParameter: It is empty, or not as the arguments of the type demand.
        """
        if not os.fspath(value):
            self.fail(
                "the path is empty; name a file or directory, or check the variable", param, ctx
            )
        return super().convert(value, param, ctx)


directory_option = click.option(
    "-d",
    "--directory",
    metavar="DIR",
    help=f"The root of the tree.  [default: $MINREG_ROOT, or {LOCAL_TREE}, or {NODE_TREES[0]}]",
)

links_option = click.option(
    "--allow-links-to",
    multiple=True,
    metavar="DIR",
    help="A directory outside the tree that its symbolic links may point to. Repeatable.",
)

list_option = click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    type=NonEmptyPath(exists=True, dir_okay=False, allow_dash=True),
    help="A list of images, one per line; - is standard input. Repeatable.",
)

url_option = click.option(
    "-u",
    "--url",
    help="The address of the registry, or of its --status-listen: a URL or unix:/path.  "
    f"[default: $MINREG_URL, or {STATUS_SOCKET} if it exists, or {ENDPOINT}]",
)

_PLATFORMS = (
    *("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/386", "linux/ppc64le"),
    *("linux/riscv64", "linux/s390x", "windows/amd64", "all"),
)


def complete_platform(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the value of ``--platform`` with the platforms that images usually have."""
    return [CompletionItem(name) for name in _PLATFORMS if name.startswith(incomplete)]
