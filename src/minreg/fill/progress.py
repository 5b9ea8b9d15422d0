"""The events of a download, and three ways to show them: lines of text, JSON, progress bars.

The fields of the events are the keys of ``minreg download --json``. All sizes are in bytes.
"""

import json
import re
from collections.abc import Callable
from threading import Lock
from typing import Protocol, Self

import attrs
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column

from minreg.oci.names import Digest
from minreg.text import count, format_size, printable


@attrs.frozen
class Requesting:
    """A request to a server begins; ``resource`` describes what is requested."""

    host: str
    resource: str
    attempts: int


@attrs.frozen
class Retrying:
    """An attempt failed, and the next one, number ``attempt``, begins in ``seconds``."""

    reason: str
    attempt: int
    attempts: int
    seconds: float


@attrs.frozen
class Resolving:
    """The manifests of ``images`` images are being requested from ``hosts``."""

    images: int
    hosts: tuple[str, ...] = ()
    attempts: int = 1


@attrs.frozen
class Planned:
    """The plan is made. ``blobs`` is the number of blobs that the tree lacks.

    Of these, ``fetch_bytes`` are to be downloaded, and ``partial_bytes`` are in the tree from
    interrupted downloads. ``present_bytes`` need no download.
    """

    images: int
    blobs: int
    fetch_bytes: int
    partial_bytes: int
    present_bytes: int


@attrs.frozen
class BlobAdvanced:
    """The tree has ``offset`` of a blob's ``size`` bytes. The first such event is its start."""

    digest: Digest
    image: str
    offset: int
    size: int


@attrs.frozen
class BlobEnded:
    """The download of a blob ended. ``reason`` is why it failed; empty if it is complete."""

    digest: Digest
    received: int
    resumed: int
    reason: str = ""


@attrs.frozen
class ImageEnded:
    """The download of an image ended. ``reason`` is why it failed; empty if it is complete.

    ``is_new`` is False if the tree had the same image before. ``notes`` say what it lacks all the
    same: platforms that the registry does not have, metadata, or referrers.
    """

    image: str
    is_new: bool
    reason: str = ""
    notes: tuple[str, ...] = ()


@attrs.frozen
class Summary:
    """The download ended. ``failed`` has the names of the images that are not in the tree."""

    images: int
    failed: tuple[str, ...]
    fetched_blobs: int
    fetched_bytes: int
    resumed_bytes: int
    reused_blobs: int
    reused_bytes: int


Event = (
    Requesting | Retrying | Resolving | Planned | BlobAdvanced | BlobEnded | ImageEnded | Summary
)
Show = Callable[[Event], None]


Write = Callable[[str], None]

_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")

_MAX_LABEL_WIDTH = 26


def make_progress(console: Console) -> Progress:
    """Return the progress bars of all commands: label, bar, size, speed, remaining time.

    They fit in 80 columns, and disappear at the end.
    """
    label = Column(no_wrap=True, overflow="ellipsis", max_width=_MAX_LABEL_WIDTH)
    return Progress(
        TextColumn("{task.description}", markup=False, table_column=label),
        BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=8)),
        DownloadColumn(table_column=Column(no_wrap=True)),
        TransferSpeedColumn(table_column=Column(no_wrap=True, justify="right")),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
        console=console,
        transient=True,
        expand=True,
    )


class Display(Protocol):
    """Shows events, which any thread may send, while its context is entered."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...

    def show(self, event: Event) -> None:
        """Show an event."""


class PlainLines:
    """Writes a line for each image, and a summary.

    Args:
        write: Writes a line.
    """

    def __init__(self, write: Write) -> None:
        self._write = write

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        return None

    def show(self, event: Event) -> None:
        """See ``Display``."""
        for line in describe(event):
            self._write(line)


class JsonLines(PlainLines):
    """Writes one JSON object a line for each event.

    Args:
        write: Writes a line; it is never called by two threads at once.
    """

    def __init__(self, write: Write) -> None:
        super().__init__(write)
        self._mutex = Lock()

    def show(self, event: Event) -> None:
        """See ``Display``."""
        name = _WORD_START.sub("_", type(event).__name__).lower()
        fields = attrs.asdict(event, recurse=False)
        with self._mutex:
            self._write(json.dumps({"event": name, **fields}, default=str))


class LiveBars:
    """Shows a progress bar for the whole download, and one for each blob that is downloaded.

    No bar moves backwards, also if the download of a blob starts again.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = make_progress(console)
        self._total_bar = self._progress.add_task("looking up", total=None)
        self._bars: dict[Digest, TaskID] = {}
        self._offsets: dict[Digest, int] = {}
        self._mutex = Lock()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._progress.stop()

    def show(self, event: Event) -> None:
        """See ``Display``."""
        with self._mutex:
            if isinstance(event, Planned):
                total = event.fetch_bytes + event.partial_bytes
                self._progress.update(self._total_bar, description="all", total=total)
            elif isinstance(event, BlobAdvanced):
                self._advance(event)
            elif isinstance(event, BlobEnded):
                self._end(event)
        style = "red" if isinstance(event, ImageEnded) and event.reason else ""
        for line in describe(event):
            self._console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)

    def _advance(self, event: BlobAdvanced) -> None:
        if event.digest not in self._bars:
            name = event.image.rpartition("/")[2]
            self._bars[event.digest] = self._progress.add_task(f"  {name}", total=event.size)
        max_offset = self._offsets.get(event.digest, 0)
        if event.offset > max_offset:
            self._offsets[event.digest] = event.offset
            self._progress.update(self._bars[event.digest], completed=event.offset)
            self._progress.update(self._total_bar, advance=event.offset - max_offset)

    def _end(self, event: BlobEnded) -> None:
        bar = self._bars.pop(event.digest, None)
        if bar is not None:
            self._progress.remove_task(bar)


def describe(event: Event) -> list[str]:
    """Return lines of text for an event; none for most events."""
    if isinstance(event, ImageEnded):
        # The reason may contain text from an upstream, with control characters.
        return [printable(_describe_image(event))]
    if isinstance(event, Resolving):
        hosts = f" at {', '.join(event.hosts)}" if event.hosts else ""
        attempt = f" (attempt 1 of {event.attempts})" if event.hosts else ""
        return [f"looking up {count(event.images, 'image')}{hosts}{attempt}"]
    if isinstance(event, Requesting):
        return [
            printable(
                f"requesting {event.resource} from {event.host} (attempt 1 of {event.attempts})"
            )
        ]
    if isinstance(event, Retrying):
        attempt = f"attempt {event.attempt} of {event.attempts} in {event.seconds:.0f} s"
        return [printable(f"{event.reason}: {attempt}")]
    if isinstance(event, Summary):
        return _describe_summary(event)
    return []


def _describe_image(event: ImageEnded) -> str:
    if event.reason:
        return f"{event.image}: FAILED: {event.reason}"
    state = "complete" if event.is_new else "already complete"
    return "; ".join([f"{event.image}: {state}", *event.notes])


def _describe_summary(event: Summary) -> list[str]:
    complete = event.images - len(event.failed)
    line = (
        f"{complete} of {count(event.images, 'image')} complete: "
        f"fetched {count(event.fetched_blobs, 'blob')} ({format_size(event.fetched_bytes)}), "
        f"reused {event.reused_blobs} ({format_size(event.reused_bytes)} saved), "
        f"resumed {format_size(event.resumed_bytes)}"
    )
    if not event.failed:
        return [line]
    return [
        line,
        "# failed; to retry, save these lines in a file and give it to --file:",
        *event.failed,
    ]
