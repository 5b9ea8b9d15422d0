"""The options of ``minreg download``."""

from typing import Any

import click

from minreg.cli.shared import NonEmptyPath, complete_platform, list_option
from minreg.defaults import CHANNEL_URL, LOCAL_TREE, RELEASE_URL


@click.command(
    "download",
    help="""Fill a registry tree with the images of a K3s release, and with each IMAGE.

    Content that the tree has is not downloaded again, and an interrupted download is
    resumed. The exit status is 0 if all images are in the tree, 1 if some failed; the others
    are complete. Logins are those of 'docker login' and 'podman login'. Proxies are those of
    http_proxy, https_proxy and no_proxy.
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
    help="The root of the tree, which is created if it does not exist.  "
    f"[default: $MINREG_ROOT, or {LOCAL_TREE}]",
)
@list_option
@click.option(
    "-p",
    "--platform",
    "platforms",
    multiple=True,
    shell_complete=complete_platform,
    default=("linux/amd64",),
    show_default=True,
    help="A platform to download, such as linux/arm/v7, or 'all'. Repeatable.",
)
@click.option(
    "-n", "--no-trim", is_flag=True, help="Keep the registry's host in the repository name."
)
@click.option("-s", "--skip-k3s", is_flag=True, help="Do not download the images of K3s.")
@click.option(
    "--attestations",
    is_flag=True,
    help="Download attestations, such as provenance and SBOMs, too.",
)
@click.option(
    "--referrers/--no-referrers",
    default=True,
    show_default=True,
    help="Download referrers, such as signatures, too.",
)
@click.option(
    "--sparse",
    is_flag=True,
    help="Download nothing of other platforms, not even their manifests and configs.",
)
@click.option(
    "--jobs",
    default=8,
    show_default=True,
    type=click.IntRange(1, 64),
    help="The number of parallel downloads.",
)
@click.option(
    "--retries",
    default=4,
    show_default=True,
    type=click.IntRange(0, 100),
    help="The number of retries after a failure.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be downloaded, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each event.")
@click.option(
    "--ca-file",
    type=NonEmptyPath(exists=True, dir_okay=False),
    help="Additional certificate authorities, in PEM.",
)
@click.option(
    "--plain-http",
    metavar="HOST",
    multiple=True,
    help="A registry to connect to by HTTP without TLS. Repeatable.",
)
@click.option(
    "--channel-url",
    default=CHANNEL_URL,
    show_default=True,
    help="The URL of K3s' release channels.",
)
@click.option(
    "--release-url", default=RELEASE_URL, show_default=True, help="The URL of K3s' releases."
)
def command(**options: Any) -> None:
    """Download the images."""
    from minreg.commands.download import run

    run(**options)
