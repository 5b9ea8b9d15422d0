"""Tests for ``minreg.fill.progress``."""

import io
import json
import re

from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.progress import (
    BlobAdvanced,
    BlobEnded,
    Event,
    ImageEnded,
    JsonLines,
    LiveBars,
    PlainLines,
    Planned,
    Requesting,
    Resolving,
    Retrying,
    Summary,
)
from minreg.oci.names import Digest

DIGEST = Digest.of(b"x")
EVENTS: list[Event] = [
    Resolving(2),
    Planned(2, 1, fetch_bytes=1500, partial_bytes=500, present_bytes=0),
    BlobAdvanced(DIGEST, "quay.io/a:1", 500, 2000),
    BlobAdvanced(DIGEST, "quay.io/a:1", 2000, 2000),
    BlobEnded(DIGEST, 1500, 500),
    ImageEnded("quay.io/a:1", is_new=True),
    ImageEnded("quay.io/b:1", is_new=False, reason="it is gone"),
    Summary(2, ("quay.io/b:1",), 1, 1500, 500, 0, 0),
]
LINES = [
    "looking up 2 images",
    "quay.io/a:1: complete",
    "quay.io/b:1: FAILED: it is gone",
    "1 of 2 images complete: fetched 1 blob (1.5 kB), reused 0 (0 B saved), resumed 500 B",
    "# failed; to retry, save these lines in a file and give it to --file:",
    "quay.io/b:1",
]


class PlainLinesTests(SynchronousTestCase):
    """Tests for ``PlainLines``."""

    def test_lines(self) -> None:
        """Each image has a line; the summary lists the images that failed."""
        lines: list[str] = []
        with PlainLines(lines.append) as display:
            for event in EVENTS:
                display.show(event)
        self.assertEqual(lines, LINES)

    def test_again(self) -> None:
        """An image that was complete before is reported as such."""
        lines: list[str] = []
        PlainLines(lines.append).show(ImageEnded("a:1", is_new=False))
        self.assertEqual(lines, ["a:1: already complete"])

    def test_attempts(self) -> None:
        """Each request and retry is shown with the number of the attempt."""
        lines: list[str] = []
        display = PlainLines(lines.append)
        display.show(Requesting("update.k3s.io", "the release", 5))
        display.show(Retrying("it is\ngone", 2, 5, 1.2))
        display.show(Resolving(2, ("docker.io", "quay.io"), 5))
        self.assertEqual(
            lines,
            [
                "requesting the release from update.k3s.io (attempt 1 of 5)",
                "it is\\ngone: attempt 2 of 5 in 1 s",
                "looking up 2 images at docker.io, quay.io (attempt 1 of 5)",
            ],
        )

    def test_escapes(self) -> None:
        """Control characters from an upstream are escaped."""
        lines: list[str] = []
        reason = "\x1b]0;title\x07\x1b[2J no\nquay.io/c:1: complete\ud800"
        PlainLines(lines.append).show(ImageEnded("quay.io/b:1", is_new=False, reason=reason))
        self.assertEqual(
            lines,
            ["quay.io/b:1: FAILED: \\x1b]0;title\\x07\\x1b[2J no\\nquay.io/c:1: complete\\ud800"],
        )


class JsonLinesTests(SynchronousTestCase):
    """Tests for ``JsonLines``."""

    def test_lines(self) -> None:
        """Each event is an object."""
        lines: list[str] = []
        display = JsonLines(lines.append)
        for event in EVENTS:
            display.show(event)
        objects = [json.loads(line) for line in lines]
        self.assertEqual(
            [fields["event"] for fields in objects],
            [
                "resolving",
                "planned",
                "blob_advanced",
                "blob_advanced",
                "blob_ended",
                "image_ended",
                "image_ended",
                "summary",
            ],
        )
        self.assertEqual(
            objects[2],
            {
                "event": "blob_advanced",
                "digest": str(DIGEST),
                "image": "quay.io/a:1",
                "offset": 500,
                "size": 2000,
            },
        )


class LiveBarsTests(SynchronousTestCase):
    """Tests for ``LiveBars``, on a terminal in memory."""

    def setUp(self) -> None:
        """Create a terminal."""
        self.output = io.StringIO()
        console = Console(file=self.output, force_terminal=True, width=200)
        self.bars = LiveBars(console)

    def total(self) -> float:
        """Return the position of the bar for the whole download."""
        return self.bars._progress.tasks[0].completed

    def test_lines(self) -> None:
        """The lines are shown too."""
        with self.bars:
            for event in EVENTS:
                self.bars.show(event)
        for line in LINES:
            self.assertIn(line, self.output.getvalue())

    def test_bar_for_each_transfer(self) -> None:
        """A blob has a bar while it is downloaded."""
        for event in EVENTS[:4]:
            self.bars.show(event)
        names = [task.description for task in self.bars._progress.tasks]
        self.assertEqual(names, ["all", "  a:1"])
        self.bars.show(EVENTS[4])
        self.assertEqual(len(self.bars._progress.tasks), 1)
        self.assertEqual((self.total(), self.bars._progress.tasks[0].total), (2000, 2000))

    def test_never_back(self) -> None:
        """If a blob starts again, no bar moves back."""
        positions = []
        for offset in (1000, 0, 300, 1000, 1700, 2000):
            self.bars.show(BlobAdvanced(DIGEST, "quay.io/a:1", offset, 2000))
            positions.append(self.total())
        self.assertEqual(positions, [1000, 1000, 1000, 1000, 1700, 2000])

    def test_narrow(self) -> None:
        """In 80 columns each bar is one line, whatever its label and size."""
        console = Console(file=self.output, force_terminal=True, width=80, height=24)
        bars = LiveBars(console)
        size = 123_456_789_012
        bars.show(Planned(1, 1, fetch_bytes=size, partial_bytes=0, present_bytes=0))
        bars.show(BlobAdvanced(DIGEST, f"quay.io/{'long-name-' * 9}:1", 98_765_432_109, size))
        with console.capture() as captured:
            console.print(bars._progress.get_renderable())
        lines = re.sub(r"\x1b\[[0-9;]*m", "", captured.get()).splitlines()
        self.assertEqual([len(line) <= 80 for line in lines], [True, True], lines)
        for line in lines:
            self.assertIn("98.8/123.5 GB", line)
        self.assertIn("long-name-long-na", lines[1])

    def test_failure(self) -> None:
        """A failed image is red, unless the terminal has no colours."""
        for no_color, is_red in ((False, True), (True, False)):
            output = io.StringIO()
            console = Console(file=output, color_system="standard", width=200, no_color=no_color)
            LiveBars(console).show(ImageEnded("a:1", is_new=False, reason="it is gone"))
            self.assertEqual("\x1b[31m" in output.getvalue(), is_red)
