"""How a command says that it failed: in one line, with an exit status."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from minreg.fill.failures import FillFailure
from minreg.interfaces import StoreUnavailable
from minreg.names import NameInvalid


class WrongUsage(click.ClickException):
    """The command line, or a list that it names, is wrong: exit status 2."""

    exit_code = 2


@contextmanager
def reported_failures() -> Iterator[None]:
    """Turn what a person can mend into one line on stderr and exit status 1."""
    try:
        yield
    except (FillFailure, NameInvalid, StoreUnavailable) as failure:
        raise click.ClickException(str(failure)) from None
