"""Decides what a terminal is shown: whether there are colours and progress bars, and how wide.

All commands write through this module, so that the rules are the same everywhere:

- ``NO_COLOR`` (no-color.org) turns colours off; ``FORCE_COLOR`` or ``CLICOLOR_FORCE`` turn them
  on where the output is no terminal, for pagers and continuous integration;
- otherwise a terminal has colours, unless ``TERM`` says that it can do nothing.
"""

import io
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, TextIO

import click

from minreg.text import printable

if TYPE_CHECKING:
    from rich.console import Console

WIDEST = 80
"""Columns of text that is wrapped, on wider terminals as well."""

_FORCING = ("FORCE_COLOR", "CLICOLOR_FORCE")
_WITHOUT_CONTROL = frozenset({"", "dumb", "unknown"})
_ERROR_PREFIX = re.compile(r"^Error:", re.MULTILINE)


class Look(Enum):
    """How a word or a line is shown where there are colours."""

    ERROR = "red"
    WARNING = "yellow"
    SUGGESTION = "cyan"
    GOOD = "green"


def has_color(stream: TextIO) -> bool:
    """Return whether colours are written to a stream."""
    if os.environ.get("NO_COLOR"):
        return False
    if any(os.environ.get(name, "0") not in ("", "0") for name in _FORCING):
        return True
    return is_interactive(stream)


def is_interactive(stream: TextIO) -> bool:
    """Return whether a stream is a terminal that can move its cursor, as progress bars need."""
    return stream.isatty() and os.environ.get("TERM", "") not in _WITHOUT_CONTROL


def paint(text: str, look: Look, *, bold: bool = False) -> str:
    """Colour a text, and escape what would do anything else to a terminal.

    ``echo`` takes the colours out again where there are none.
    """
    return click.style(printable(text), fg=look.value, bold=bold)


def echo(line: str = "", *, err: bool = False) -> None:
    """Write a line, without its colours where there are none.

    Args:
        line: Text that is fit to be shown, and what ``paint`` returned.
        err: Whether to write to the standard error instead of the standard output.
    """
    click.echo(line, err=err, color=has_color(sys.stderr if err else sys.stdout))


def echo_error(text: str) -> None:
    """Write ``Error: text`` to the standard error, in one line whatever the text has."""
    echo(f"{paint('Error:', Look.ERROR, bold=True)} {printable(text)}", err=True)


def show_exception(error: click.ClickException) -> None:
    """Write what click has to say about an error, with a coloured ``Error:``."""
    text = io.StringIO()
    error.show(text)
    red = paint("Error:", Look.ERROR, bold=True)
    echo(_ERROR_PREFIX.sub(lambda _: red, text.getvalue(), count=1).removesuffix("\n"), err=True)


def echo_diff(line: str, *, err: bool = False) -> None:
    """Write a line of a unified diff: additions green, removals red. Tabs are kept."""
    text = "\t".join(map(printable, line.split("\t")))
    if line.startswith(("+++", "---")):
        text = click.style(text, bold=True)
    elif line.startswith("+"):
        text = click.style(text, fg=Look.GOOD.value)
    elif line.startswith("-"):
        text = click.style(text, fg=Look.ERROR.value)
    elif line.startswith("@@"):
        text = click.style(text, fg=Look.SUGGESTION.value)
    echo(text, err=err)


def echo_next(*commands: str) -> None:
    """Write to the standard error what to run next, each command on a line, to be pasted.

    Standard output is left to lists that other programs read.
    """
    for number, command in enumerate(commands):
        head = "next:" if number == 0 else "  or:"
        echo(f"{paint(head, Look.SUGGESTION)} {printable(command)}", err=True)


def make_console(*, err: bool = False) -> "Console":
    """Make what progress bars are shown on, with colours where ``has_color`` says so."""
    from rich.console import Console  # noqa: PLC0415 - takes longer to load than most commands

    stream = sys.stderr if err else sys.stdout
    return Console(stderr=err, no_color=not has_color(stream), highlight=False)


@contextmanager
def byte_bar(label: str, size: int | None) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many bytes are done; elsewhere, show nothing.

    Args:
        label: What is done to them.
        size: How many there are, None if that is not known.

    Returns:
        What is to be told of each number of bytes that are done, in any thread.
    """
    if not is_interactive(sys.stderr):
        yield lambda _size: None
        return
    from minreg.fill.progress import make_progress  # noqa: PLC0415 - loads rich

    with make_progress(make_console(err=True)) as progress:
        bar = progress.add_task(printable(label), total=size)
        yield lambda size: progress.advance(bar, size)


def find_width() -> int | None:
    """Return how many columns the terminal has that is the standard output; None in a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def wrap(text: str, indent: str = "", *, first: str | None = None) -> list[str]:
    """Wrap a text at spaces only: paths, addresses and digests stay whole, to be pasted.

    Args:
        text: What to wrap.
        indent: What each line begins with.
        first: What the first line begins with, if that is something else.
    """
    return textwrap.wrap(
        printable(text),
        min(find_width() or WIDEST, WIDEST),
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
