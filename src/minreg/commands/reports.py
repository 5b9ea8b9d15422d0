"""How a command says what it did, or in one line, with an exit status, that it failed."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import click

from minreg.commands.terminal import byte_bar, echo
from minreg.fill.errors import FillError
from minreg.oci.names import NameInvalid
from minreg.store.interfaces import StoreUnavailable
from minreg.text import format_size, printable


class WrongUsage(click.ClickException):
    """The command line, or a list that it names, is wrong: exit status 2."""

    exit_code = 2


class CouldNotLook(click.ClickException):
    """What was to be looked at cannot be, so that nothing is known of it: exit status 2."""

    exit_code = 2


@contextmanager
def reported_failures() -> Iterator[None]:
    """Turn what a person can mend into one line on stderr and exit status 1."""
    try:
        yield
    except (FillError, NameInvalid, StoreUnavailable) as failure:
        lines = map(printable, str(failure).split("\n"))
        raise click.ClickException("\n".join(lines)) from None


def hashing_bar(size: int) -> AbstractContextManager[Callable[[int], None]]:
    """Show on a terminal how much of so many bytes is hashed; give what is to be told of it."""
    return byte_bar(f"hashing {format_size(size)}", size)


def say(line: str, *, err: bool = False) -> None:
    """Write a line for people. What came from elsewhere and stands in it does nothing else."""
    echo(printable(line), err=err)


def is_interruption(error: BaseException) -> bool:
    """Tell whether somebody pressed Ctrl-C.

    If that happens while a thread's lock is being taken or given back, the lock's own
    complaint takes the place of ``KeyboardInterrupt``, which stays behind as its context.
    """
    if isinstance(error, KeyboardInterrupt):
        return True
    return error.__context__ is not None and is_interruption(error.__context__)
