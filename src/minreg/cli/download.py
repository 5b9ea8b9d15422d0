"""The options of ``minreg download``."""

from typing import Any

import click

from minreg.defaults import CHANNEL_URL, LOCAL_TREE, RELEASE_URL


@click.command(
    "download",
    help="""Fill a registry tree with the images of a K3s release, and with each IMAGE.

    What the tree has is not fetched again, and a run that was broken off goes on where it
    stopped. The exit status is 0 if all images are there, 1 if some failed: the others
    are complete. Accounts are those of 'docker login' and 'podman login'; proxies those
    of http_proxy, https_proxy and no_proxy.
    """,
)
@click.argument("images", metavar="[IMAGE]...", nargs=-1)
@click.option(
    "-v",
    "--version",
    default="stable",
    show_default=True,
    help="The K3s release, or its channel: stable, latest, v1.33.",
)
@click.option(
    "-d",
    "--directory",
    metavar="DIR",
    help="The root of the tree, which is made if it is not there.  "
    f"[default: $MINREG_ROOT, or {LOCAL_TREE}]",
)
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="A list of more images, one a line; - is the standard input. Repeatable.",
)
@click.option(
    "-p",
    "--platform",
    "platforms",
    multiple=True,
    default=("linux/amd64",),
    show_default=True,
    help="A platform to fetch images for, such as linux/arm/v7, or 'all'. Repeatable.",
)
@click.option("-n", "--no-trim", is_flag=True, help="Keep the host in the repository's name.")
@click.option("-s", "--skip-k3s", is_flag=True, help="Leave the images of K3s out.")
@click.option("--attestations", is_flag=True, help="Fetch what an index attests of its images.")
@click.option("--referrers", is_flag=True, help="Fetch signatures and what else refers to images.")
@click.option(
    "--jobs",
    default=8,
    show_default=True,
    type=click.IntRange(1, 64),
    help="How many blobs to fetch at a time.",
)
@click.option(
    "--retries",
    default=4,
    show_default=True,
    type=click.IntRange(0, 100),
    help="How often to try again what failed.",
)
@click.option("--dry-run", is_flag=True, help="Say what would come; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object for each event.")
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False),
    help="More certificate authorities, as PEM.",
)
@click.option(
    "--plain-http",
    metavar="HOST",
    multiple=True,
    help="A registry that talks HTTP without TLS. Repeatable.",
)
@click.option("--channel-url", default=CHANNEL_URL, show_default=True, help="K3s's channels.")
@click.option("--release-url", default=RELEASE_URL, show_default=True, help="K3s's releases.")
def command(**options: Any) -> None:
    """Read the command line, download, and exit with the status that tells how it went."""
    from minreg.commands.download import run

    run(**options)
