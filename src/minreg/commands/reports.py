"""How commands report errors: in one line on standard error, and by the exit status."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import click

from minreg.commands.terminal import byte_bar, echo
from minreg.fill.errors import FillError
from minreg.oci.names import NameInvalid
from minreg.store.interfaces import StoreUnavailable
from minreg.text import format_size, printable


class WrongUsage(click.ClickException):
    """The command line, or a list that it names, is invalid: exit status 2."""

    exit_code = 2


class CouldNotLook(click.ClickException):
    """A check could not be done, so its result is not known: exit status 2."""

    exit_code = 2


@contextmanager
def reported_failures() -> Iterator[None]:
    """Report errors that a person can fix in one line, with exit status 1."""
    try:
        yield
    except (FillError, NameInvalid, StoreUnavailable) as failure:
        lines = map(printable, str(failure).split("\n"))
        raise click.ClickException("\n".join(lines)) from None


def hashing_bar(size: int) -> AbstractContextManager[Callable[[int], None]]:
    """Show a progress bar for hashing, on a terminal.

    Args:
        size: The number of bytes to hash.

    Returns:
        A context manager, whose value is called with the number of bytes after each read.
    """
    return byte_bar(f"hashing {format_size(size)}", size)


def echo_text(line: str, *, err: bool = False) -> None:
    """Write a line, with control characters escaped."""
    echo(printable(line), err=err)


def is_interruption(error: BaseException) -> bool:
    """Return whether an error is, or was caused by, Ctrl-C.

    If Ctrl-C is pressed while a lock is acquired or released, the lock can raise ``RuntimeError``,
    with ``KeyboardInterrupt`` as its context.
    """
    if isinstance(error, KeyboardInterrupt):
        return True
    return error.__context__ is not None and is_interruption(error.__context__)
