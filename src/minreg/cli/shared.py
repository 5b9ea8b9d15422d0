"""Options that several commands have."""

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
    help="A directory outside of the tree that its links may lead to, as for serving. Repeatable.",
)

platforms_option = click.option(
    "-p",
    "--platform",
    "platforms",
    multiple=True,
    metavar="PLATFORM",
    help="Take only this platform, such as linux/arm64; repeatable.",
)

url_option = click.option(
    "-u",
    "--url",
    help="Where the registry listens, or its --status-listen: a URL, or unix:/path.  "
    f"[default: $MINREG_URL, or {STATUS_SOCKET} if that is there, or {ENDPOINT}]",
)
