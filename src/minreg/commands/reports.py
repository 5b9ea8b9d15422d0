"""How a command says that it failed: in one line, with an exit status."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from minreg.fill.failures import FillFailure
from minreg.names import NameInvalid


@contextmanager
def reported_failures() -> Iterator[None]:
    """Turn what a person can mend into one line on stderr and exit status 1."""
    try:
        yield
    except (FillFailure, NameInvalid) as failure:
        raise click.ClickException(str(failure)) from None
