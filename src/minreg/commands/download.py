"""``minreg download``: from the registries of the world into a tree."""

import os
import sys
from collections.abc import Sequence
from threading import Event, Lock
from typing import Any, NoReturn

import attrs
import click

from minreg.commands.arguments import parse_arguments, parse_platforms, read_list
from minreg.commands.next_steps import after_filling
from minreg.commands.reports import WrongUsage, is_interruption, reported_failures
from minreg.commands.terminal import echo_next, is_interactive, make_console
from minreg.commands.trees import choose_target
from minreg.defaults import CHANNEL_URL
from minreg.fill.download import Download, Network
from minreg.fill.errors import FillError
from minreg.fill.plan import Plan
from minreg.fill.progress import Display, JsonLines, LiveBars, PlainLines, Retrying, Show
from minreg.fill.release import Releases
from minreg.fill.resolve import Selection
from minreg.fill.tree.writer import TreeWriter
from minreg.fill.upstream.registry import Upstreams
from minreg.fill.upstream.retries import Retries
from minreg.fill.upstream.transport import Transport
from minreg.oci.names import ImageReference, NameInvalid, parse_host
from minreg.text import count, format_size


@attrs.frozen
class DownloadOptions:
    """The command line."""

    images: tuple[str, ...]
    version: str
    directory: str | None
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


def run(**options: Any) -> None:
    """Read the command line, download, and exit with the status that tells how it went."""
    wishes = DownloadOptions(**options)
    for option, url in (
        ("--channel-url", wishes.channel_url),
        ("--release-url", wishes.release_url),
    ):
        if not url.startswith(("http://", "https://")):
            raise WrongUsage(f"{option} {url!r} is no URL: write it as in {CHANNEL_URL}")
    with reported_failures():
        references = [
            *parse_arguments(wishes.images),
            *(reference for path in wishes.files for reference in read_list(path)),
        ]
        if wishes.skip_k3s and not references:
            raise click.UsageError("there is nothing to download: name an IMAGE or a --file")
        root = choose_target(wishes.directory)
        failed = _download(wishes, root, references)
    if not wishes.as_json:
        _say_what_is_next(wishes, root, failed)
    if failed:
        sys.exit(1)


def _say_what_is_next(wishes: DownloadOptions, root: str, failed: Sequence[str]) -> None:
    if failed:
        echo_next("the same command again, which fetches only what is not there yet")
    elif wishes.dry_run:
        echo_next("the same command without --dry-run")
    else:
        echo_next(*after_filling(root, is_verified=False))


def _make_selection(wishes: DownloadOptions) -> Selection:
    return Selection(
        platforms=parse_platforms(wishes.platforms),
        trimmed=not wishes.no_trim,
        attestations=wishes.attestations,
        referrers=wishes.referrers,
    )


class _RetryReports:
    """Shows each retry once, though many transfers fail at a time for the same reason.

    Args:
        show: Shows an event.
    """

    def __init__(self, show: Show) -> None:
        self._show = show
        self._shown: set[tuple[str, int]] = set()
        self._mutex = Lock()

    def __call__(self, attempt: int, attempts: int, failure: FillError, seconds: float) -> None:
        """Show a retry."""
        reason = str(failure)
        with self._mutex:
            is_new = (reason, attempt) not in self._shown
            self._shown.add((reason, attempt))
        if is_new:
            self._show(Retrying(reason, attempt, attempts, seconds))


def _make_network(wishes: DownloadOptions, show: Show) -> Network:
    transport = Transport(wishes.ca_file, wishes.jobs)
    stop = Event()
    retries = Retries(wishes.retries, stop, tell=_RetryReports(show))
    try:
        plain_http = [parse_host(host) for host in wishes.plain_http]
    except NameInvalid as error:
        raise WrongUsage(f"--plain-http: {error}") from None
    upstreams = Upstreams(transport, retries, os.environ, plain_http)
    return Network(transport, upstreams, retries, stop, wishes.jobs)


def _make_display(wishes: DownloadOptions) -> Display:
    if wishes.as_json:
        return JsonLines(click.echo)
    if is_interactive(sys.stdout):
        return LiveBars(make_console())
    return PlainLines(click.echo)


def _download(
    wishes: DownloadOptions, root: str, references: list[ImageReference]
) -> tuple[str, ...]:
    """Download, and name the images that failed."""
    selection = _make_selection(wishes)
    display = _make_display(wishes)
    network = _make_network(wishes, display.show)
    download = Download(root, network, selection, display.show)
    releases = Releases(
        network.transport,
        network.retries,
        wishes.channel_url,
        wishes.release_url,
        display.show,
    )
    release = None if wishes.skip_k3s else releases.find(wishes.version)
    if release is not None:
        references = [*release.images, *references]
    if wishes.dry_run:
        with display:
            plan = download.plan(references)
        if not wishes.as_json:
            _describe_plan(plan)
        return tuple(str(image) for image in plan.failures)
    with TreeWriter(root, "minreg download") as tree:
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
