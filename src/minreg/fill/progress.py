"""What happens while a tree is filled, for whoever shows it."""

import json
import re
from collections.abc import Callable
from threading import Lock
from types import TracebackType
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
class Asking:
    """A server is asked for something, up to so many times."""

    host: str
    what: str
    attempts: int


@attrs.frozen
class Retrying:
    """Something failed, and attempt number ``attempt`` is made in so many seconds."""

    reason: str
    attempt: int
    attempts: int
    seconds: float


@attrs.frozen
class Resolving:
    """So many images are being looked up at some hosts, each up to so many times."""

    images: int
    hosts: tuple[str, ...] = ()
    attempts: int = 1


@attrs.frozen
class Planned:
    """What is to come is known: the images, and the blobs that the tree lacks.

    ``fetch_bytes`` are to be fetched; ``partial_bytes`` of the same blobs came earlier;
    ``present_bytes`` are in the tree, or are fetched for another image already.
    """

    images: int
    blobs: int
    fetch_bytes: int
    partial_bytes: int
    present_bytes: int


@attrs.frozen
class BlobAdvanced:
    """``offset`` bytes of a blob's ``size`` are here; at the first time, it begins."""

    digest: Digest
    image: str
    offset: int
    size: int


@attrs.frozen
class BlobEnded:
    """A blob is complete (``reason`` is empty), or was given up."""

    digest: Digest
    received: int
    resumed: int
    reason: str = ""


@attrs.frozen
class ImageEnded:
    """An image is in the tree (``reason`` is empty), or is not.

    ``is_new`` tells whether anything changed in the tree.
    """

    image: str
    is_new: bool
    reason: str = ""


@attrs.frozen
class Summary:
    """How it all ended: counts of images and blobs, bytes, and the images that failed."""

    images: int
    failed: tuple[str, ...]
    fetched_blobs: int
    fetched_bytes: int
    resumed_bytes: int
    reused_blobs: int
    reused_bytes: int


Event = Asking | Retrying | Resolving | Planned | BlobAdvanced | BlobEnded | ImageEnded | Summary
Show = Callable[[Event], None]


Write = Callable[[str], None]

_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")


_WIDEST_LABEL = 26


def make_progress(console: Console) -> Progress:
    """Make the progress bars of all commands: what, how far, how fast, how long it will take.

    They fit in 80 columns, and are gone when all is done.

    Args:
        console: The terminal.
    """
    label = Column(no_wrap=True, overflow="ellipsis", max_width=_WIDEST_LABEL)
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
    """Shows events between ``with`` and its end; they come from any thread."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def show(self, event: Event) -> None:
        """Show an event."""


class PlainLines:
    """One line for each image, and a summary.

    Args:
        write: Writes a line.
    """

    def __init__(self, write: Write) -> None:
        self._write = write

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None

    def show(self, event: Event) -> None:
        """See ``Display``."""
        for line in describe(event):
            self._write(line)


class JsonLines(PlainLines):
    """One JSON object for each event.

    Args:
        write: Writes a line; it is never called by two threads at a time.
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
    """A bar for the whole, and one for each blob that is coming. None ever goes back.

    Args:
        console: The terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = make_progress(console)
        self._whole = self._progress.add_task("looking up", total=None)
        self._bars: dict[Digest, TaskID] = {}
        self._offsets: dict[Digest, int] = {}
        self._mutex = Lock()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def show(self, event: Event) -> None:
        """See ``Display``."""
        with self._mutex:
            if isinstance(event, Planned):
                total = event.fetch_bytes + event.partial_bytes
                self._progress.update(self._whole, description="all", total=total)
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
        known = self._offsets.get(event.digest, 0)
        if event.offset > known:
            self._offsets[event.digest] = event.offset
            self._progress.update(self._bars[event.digest], completed=event.offset)
            self._progress.update(self._whole, advance=event.offset - known)

    def _end(self, event: BlobEnded) -> None:
        bar = self._bars.pop(event.digest, None)
        if bar is not None:
            self._progress.remove_task(bar)


def describe(event: Event) -> list[str]:
    """Say in lines what happened; most events are not worth one."""
    if isinstance(event, ImageEnded):
        # The reason may have words of an upstream.
        return [printable(_describe_image(event))]
    if isinstance(event, Resolving):
        hosts = f" at {', '.join(event.hosts)}" if event.hosts else ""
        attempt = f" (attempt 1 of {event.attempts})" if event.hosts else ""
        return [f"looking up {count(event.images, 'image')}{hosts}{attempt}"]
    if isinstance(event, Asking):
        return [printable(f"asking {event.host} for {event.what} (attempt 1 of {event.attempts})")]
    if isinstance(event, Retrying):
        attempt = f"attempt {event.attempt} of {event.attempts} in {event.seconds:.0f} s"
        return [printable(f"{event.reason}: {attempt}")]
    if isinstance(event, Summary):
        return _describe_summary(event)
    return []


def _describe_image(event: ImageEnded) -> str:
    if event.reason:
        return f"{event.image}: FAILED: {event.reason}"
    return f"{event.image}: {'complete' if event.is_new else 'complete already'}"


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
    return [line, "# failed; a file with these lines is what --file reads:", *event.failed]
