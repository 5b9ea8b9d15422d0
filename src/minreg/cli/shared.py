"""Options of several commands."""

import click

from minreg.defaults import ENDPOINT, LOCAL_TREE, NODE_TREES, STATUS_SOCKET

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
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="A list of images, one per line; - is standard input. Repeatable.",
)

url_option = click.option(
    "-u",
    "--url",
    help="The address of the registry, or of its --status-listen: a URL or unix:/path.  "
    f"[default: $MINREG_URL, or {STATUS_SOCKET} if it exists, or {ENDPOINT}]",
)
