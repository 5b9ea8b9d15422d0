"""``minreg download``: from the registries of the world into a tree."""

import os
import sys
from collections.abc import Sequence
from threading import Event
from typing import Any, NoReturn

import attrs
import click

from minreg.commands.arguments import parse_arguments, parse_platforms, read_list
from minreg.commands.next_steps import after_filling
from minreg.commands.reports import WrongUsage, is_interruption, reported_failures
from minreg.commands.terminal import echo_next, is_interactive, make_console
from minreg.fill.download import Download, Network
from minreg.fill.plan import Plan
from minreg.fill.progress import Display, JsonLines, LiveBars, PlainLines
from minreg.fill.release import CHANNEL_URL, RELEASE_URL, Releases
from minreg.fill.resolve import Selection
from minreg.fill.tree.writer import TreeWriter
from minreg.fill.upstream.retries import Retries
from minreg.fill.upstream.transport import Transport
from minreg.fill.upstream.upstreams import Upstreams
from minreg.names import NameInvalid, parse_host
from minreg.references import ImageReference
from minreg.words import count, format_size


@attrs.frozen
class Wishes:
    """The command line."""

    images: tuple[str, ...]
    version: str
    directory: str
    files: tuple[str, ...]
    platforms: tuple[str, ...]
    no_trim: bool
    skip_k3s: bool
    attestations: bool
    referrers: bool
    jobs: int
    retries: int
    dry_run: bool
    as_json: bool
    ca_file: str | None
    plain_http: tuple[str, ...]
    channel_url: str
    release_url: str


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
    default="./registry",
    show_default=True,
    type=click.Path(file_okay=False),
    help="The root of the tree.",
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
    wishes = Wishes(**options)
    with reported_failures():
        references = [
            *parse_arguments(wishes.images),
            *(reference for path in wishes.files for reference in read_list(path)),
        ]
        if wishes.skip_k3s and not references:
            raise click.UsageError("there is nothing to download: name an IMAGE or a --file")
        failed = _download(wishes, _make_selection(wishes), references)
    if not wishes.as_json:
        _say_what_is_next(wishes, failed)
    if failed:
        sys.exit(1)


def _say_what_is_next(wishes: Wishes, failed: Sequence[str]) -> None:
    if failed:
        echo_next("the same command again, which fetches only what is not there yet")
    elif wishes.dry_run:
        echo_next("the same command without --dry-run")
    else:
        echo_next(*after_filling(wishes.directory, is_verified=False))


def _make_selection(wishes: Wishes) -> Selection:
    return Selection(
        platforms=parse_platforms(wishes.platforms),
        trimmed=not wishes.no_trim,
        attestations=wishes.attestations,
        referrers=wishes.referrers,
    )


def _make_network(wishes: Wishes) -> Network:
    transport = Transport(wishes.ca_file, wishes.jobs)
    stop = Event()
    retries = Retries(wishes.retries, stop)
    try:
        plain_http = [parse_host(host) for host in wishes.plain_http]
    except NameInvalid as error:
        raise WrongUsage(f"--plain-http: {error}") from None
    upstreams = Upstreams(transport, retries, os.environ, plain_http)
    return Network(transport, upstreams, retries, stop, wishes.jobs)


def _make_display(wishes: Wishes) -> Display:
    if wishes.as_json:
        return JsonLines(click.echo)
    if is_interactive(sys.stdout):
        return LiveBars(make_console())
    return PlainLines(click.echo)


def _download(
    wishes: Wishes, selection: Selection, references: list[ImageReference]
) -> tuple[str, ...]:
    """Download, and name the images that failed."""
    network = _make_network(wishes)
    display = _make_display(wishes)
    download = Download(wishes.directory, network, selection, display.show)
    releases = Releases(network.transport, network.retries, wishes.channel_url, wishes.release_url)
    release = None if wishes.skip_k3s else releases.find(wishes.version)
    if release is not None:
        references = [*release.images, *references]
    if wishes.dry_run:
        with display:
            plan = download.plan(references)
        if not wishes.as_json:
            _describe_plan(plan)
        return tuple(str(image) for image in plan.failures)
    with TreeWriter(wishes.directory, "minreg download") as tree:
        try:
            if release is not None:
                tree.keep_file(release.path, release.content)
            with display:
                return download.run(references, tree).failed
        except (KeyboardInterrupt, RuntimeError) as error:
            if not is_interruption(error):
                raise
            _leave()


def _describe_plan(plan: Plan) -> None:
    for image in plan.images:
        sizes = [
            claim.blob.size
            for missing in plan.missing.values()
            for claim in missing.claims
            if claim.image is image
        ]
        wanted = f"{count(len(sizes), 'blob')} to fetch, {format_size(sum(sizes))}"
        click.echo(f"{image.image}: {wanted}")
    click.echo(
        f"would fetch {count(len(plan.missing), 'blob')} ({format_size(plan.fetch_bytes)}), "
        f"go on with {format_size(plan.partial_bytes)} that came earlier, "
        f"and reuse {plan.present_blobs} ({format_size(plan.present_bytes)})"
    )


def _leave() -> NoReturn:
    """End at once, for threads may be waiting for a server that is silent.

    A tree is good at every moment, so there is nothing to put in order.
    """
    click.echo(
        "stopped: what is in the tree is complete, and what came of the rest is kept; "
        "run the same command again to go on",
        err=True,
    )
    sys.stdout.flush()
    os._exit(1)
