"""Output on terminals: colours, progress bars and line width, by the same rules for all commands.

- ``NO_COLOR`` (no-color.org) turns colours off; ``FORCE_COLOR`` or ``CLICOLOR_FORCE`` turn them
  on where the output is not a terminal, for pagers and continuous integration;
- otherwise a terminal has colours, unless ``TERM`` is ``dumb``, ``unknown`` or empty.
"""

import io
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from typing import TYPE_CHECKING, TextIO

import click

from minreg.text import printable

if TYPE_CHECKING:
    from rich.console import Console

MAX_WIDTH = 80
"""Number of columns at which text is wrapped, on wider terminals too."""

_FORCE_VARIABLES = ("FORCE_COLOR", "CLICOLOR_FORCE")
_DUMB_TERMINALS = frozenset({"", "dumb", "unknown"})
_ERROR_PREFIX = re.compile(r"^Error:", re.MULTILINE)


class Style(Enum):
    """The colour of a text."""

    ERROR = "red"
    WARNING = "yellow"
    SUGGESTION = "cyan"
    SUCCESS = "green"


def has_color(stream: TextIO) -> bool:
    """Return whether colours are written to a stream."""
    if os.environ.get("NO_COLOR"):
        return False
    if any(os.environ.get(name, "0") not in ("", "0") for name in _FORCE_VARIABLES):
        return True
    return is_interactive(stream)


def is_interactive(stream: TextIO) -> bool:
    """Return whether a stream is a terminal that can move its cursor, as progress bars need."""
    return stream.isatty() and os.environ.get("TERM", "") not in _DUMB_TERMINALS


def colorize(text: str, style: Style, *, bold: bool = False) -> str:
    """Add a colour to a text, and escape its control characters.

    ``echo`` removes the colour again if the output has none.
    """
    return click.style(printable(text), fg=style.value, bold=bold)


def echo(line: str = "", *, err: bool = False) -> None:
    """Write a line, without its colours if the output has none.

    Args:
        line: The line. Its control characters are not escaped.
        err: Whether to write to standard error instead of standard output.
    """
    click.echo(line, err=err, color=has_color(sys.stderr if err else sys.stdout))


def discard_output() -> None:
    """Discard what is buffered for standard output, which cannot be written.

    Otherwise Python tries again at exit, prints a second error, and exits with status 120.
    """
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def echo_error(text: str) -> None:
    """Write ``Error: text`` in one line to standard error."""
    echo(f"{colorize('Error:', Style.ERROR, bold=True)} {printable(text)}", err=True)


def show_exception(error: click.ClickException) -> None:
    """Write click's message for an error, with ``Error:`` in colour."""
    text = io.StringIO()
    error.show(text)
    red = colorize("Error:", Style.ERROR, bold=True)
    echo(_ERROR_PREFIX.sub(lambda _: red, text.getvalue(), count=1).removesuffix("\n"), err=True)


def echo_diff(line: str, *, err: bool = False) -> None:
    """Write a line of a unified diff: additions in green, removals in red."""
    text = "\t".join(map(printable, line.split("\t")))
    if line.startswith(("+++", "---")):
        text = click.style(text, bold=True)
    elif line.startswith("+"):
        text = click.style(text, fg=Style.SUCCESS.value)
    elif line.startswith("-"):
        text = click.style(text, fg=Style.ERROR.value)
    elif line.startswith("@@"):
        text = click.style(text, fg=Style.SUGGESTION.value)
    echo(text, err=err)


def echo_next(*commands: str) -> None:
    """Write the commands to run next, one per line, to standard error.

    Standard output is for lists that other programs read.
    """
    for number, command in enumerate(commands):
        head = "next:" if number == 0 else "  or:"
        echo(f"{colorize(head, Style.SUGGESTION)} {printable(command)}", err=True)


def make_console(*, err: bool = False) -> "Console":
    """Make the console for progress bars."""
    from rich.console import Console  # noqa: PLC0415 - takes longer to load than most commands

    stream = sys.stderr if err else sys.stdout
    return Console(stderr=err, no_color=not has_color(stream), highlight=False)


@contextmanager
def byte_bar(label: str, size: int | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal; elsewhere, show nothing.

    Args:
        label: The text beside the bar.
        size: The total number of bytes, None if it is not known.

    Yields:
        A function to call with each number of bytes that were processed, from any thread.
    """
    if not is_interactive(sys.stderr):
        yield lambda _size: None
        return
    from minreg.fill.progress import make_progress  # noqa: PLC0415 - loads rich

    with make_progress(make_console(err=True)) as progress:
        bar = progress.add_task(printable(label), total=size)
        yield lambda size: progress.advance(bar, size)


def find_width() -> int | None:
    """Return the number of columns of the terminal; None if standard output is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def wrap(text: str, indent: str = "", *, first: str | None = None) -> list[str]:
    """Wrap a text at spaces only, so that paths, URLs and digests can be pasted.

    Args:
        text: The text.
        indent: The beginning of each line.
        first: The beginning of the first line, if it differs.
    """
    return textwrap.wrap(
        printable(text),
        min(find_width() or MAX_WIDTH, MAX_WIDTH),
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
