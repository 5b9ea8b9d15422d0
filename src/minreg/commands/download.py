"""``minreg download``: downloads images from upstream registries into a tree."""

import os
import sys
from collections.abc import Sequence
from threading import Event, Lock
from typing import Any, NoReturn

import attrs
import click

from minreg.commands.arguments import parse_arguments, parse_platforms, read_list
from minreg.commands.next_steps import list_next_steps
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
from minreg.text import count, format_size, printable


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
    sparse: bool
    jobs: int
    retries: int
    dry_run: bool
    as_json: bool
    ca_file: str | None
    plain_http: tuple[str, ...]
    channel_url: str
    release_url: str


def run(**arguments: Any) -> None:
    """Download the images.

    Raises:
        SystemExit: An image could not be downloaded.
    """
    options = DownloadOptions(**arguments)
    for option, url in (
        ("--channel-url", options.channel_url),
        ("--release-url", options.release_url),
    ):
        if not url.startswith(("http://", "https://")):
            raise WrongUsage(f"{option} {url!r} is not a URL: write it like {CHANNEL_URL}")
    with reported_failures():
        references = [
            *parse_arguments(options.images),
            *(reference for path in options.files for reference in read_list(path)),
        ]
        if options.skip_k3s and not references:
            raise click.UsageError("there is nothing to download: name an IMAGE or use --file")
        root = choose_target(options.directory)
        failed = _download(options, root, references)
    if not options.as_json:
        _print_next_steps(options, root, failed)
    if failed:
        sys.exit(1)


def _print_next_steps(options: DownloadOptions, root: str, failed: Sequence[str]) -> None:
    if failed:
        echo_next("the same command again, which downloads only what is missing")
    elif options.dry_run:
        echo_next("the same command without --dry-run")
    else:
        echo_next(*list_next_steps(root, is_verified=False))


def _make_selection(options: DownloadOptions) -> Selection:
    return Selection(
        platforms=parse_platforms(options.platforms),
        trimmed=not options.no_trim,
        attestations=options.attestations,
        referrers=options.referrers,
        metadata=not options.sparse,
    )


class _RetryReports:
    """Shows each retry once, even if several transfers fail at the same time for the same reason.

    Args:
        show: Shows an event.
    """

    def __init__(self, show: Show) -> None:
        self._show = show
        self._shown: set[tuple[str, int]] = set()
        self._lock = Lock()

    def __call__(self, attempt: int, attempts: int, failure: FillError, seconds: float) -> None:
        """Show a retry."""
        reason = str(failure)
        with self._lock:
            is_new = (reason, attempt) not in self._shown
            self._shown.add((reason, attempt))
        if is_new:
            self._show(Retrying(reason, attempt, attempts, seconds))


def _make_network(options: DownloadOptions, show: Show) -> Network:
    transport = Transport(options.ca_file, options.jobs)
    stop = Event()
    retries = Retries(options.retries, stop, notify=_RetryReports(show))
    try:
        plain_http = [parse_host(host) for host in options.plain_http]
    except NameInvalid as error:
        raise WrongUsage(f"--plain-http: {error}") from None
    upstreams = Upstreams(transport, retries, os.environ, plain_http)
    return Network(transport, upstreams, retries, stop, options.jobs)


def _make_display(options: DownloadOptions) -> Display:
    if options.as_json:
        return JsonLines(click.echo)
    if is_interactive(sys.stdout):
        return LiveBars(make_console())
    return PlainLines(click.echo)


def _download(
    options: DownloadOptions, root: str, references: list[ImageReference]
) -> tuple[str, ...]:
    """Download the images, and return those that failed."""
    selection = _make_selection(options)
    display = _make_display(options)
    network = _make_network(options, display.show)
    download = Download(root, network, selection, display.show)
    releases = Releases(
        network.transport,
        network.retries,
        options.channel_url,
        options.release_url,
        display.show,
    )
    release = None if options.skip_k3s else releases.find(options.version)
    if release is not None:
        references = [*release.images, *references]
    if options.dry_run:
        with display:
            plan = download.plan(references)
        if not options.as_json:
            _describe_plan(plan)
        return tuple(str(image) for image in plan.failures)
    with TreeWriter(root, "minreg download") as tree:
        try:
            if release is not None:
                tree.write_file_if_changed(release.path, release.content)
            with display:
                return download.run(references, tree).failed
        except (KeyboardInterrupt, RuntimeError) as error:
            if not is_interruption(error):
                raise
            _exit_at_once()


def _describe_plan(plan: Plan) -> None:
    for image in plan.images:
        sizes = [
            request.blob.size
            for missing in plan.missing.values()
            for request in missing.requests
            if request.image is image
        ]
        blobs = f"{count(len(sizes), 'blob')} to download, {format_size(sum(sizes))}"
        click.echo(printable("; ".join([f"{image.reference}: {blobs}", *image.notes])))
    click.echo(
        f"would download {count(len(plan.missing), 'blob')} ({format_size(plan.fetch_bytes)}), "
        f"resume {format_size(plan.partial_bytes)} of earlier downloads, "
        f"and reuse {plan.present_blobs} ({format_size(plan.present_bytes)})"
    )


def _exit_at_once() -> NoReturn:
    """Exit without waiting for threads, which may be blocked by a server that does not respond.

    The tree is consistent at any time, so nothing has to be cleaned up.
    """
    click.echo(
        "stopped: the images in the tree are complete, and partial downloads are kept: "
        "run the same command again to resume",
        err=True,
    )
    sys.stdout.flush()
    os._exit(1)
