"""What ``minreg registries`` reads and writes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from minreg.commands.terminal import Look, echo, paint
from minreg.node.registries.certs_d import make_certs_d
from minreg.node.registries.file import read_registries
from minreg.node.registries.merge import Merged, MergeRefused, merge
from minreg.node.registries.text import Document, render
from minreg.node.writing import write_file
from minreg.words import printable


@contextmanager
def reported_problems() -> Iterator[None]:
    """Turn a file that cannot be read or written into one line and exit status 1."""
    try:
        yield
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None


def merge_with(path: str | None, document: Document) -> Merged:
    """Add to a file, if one is named and there.

    Raises:
        OSError: It cannot be read.
        ClickException: Nothing can be added to it.
    """
    content = b""
    if path is not None:
        with suppress(FileNotFoundError):
            with open(path, "rb") as file:
                content = file.read()
    if not content:
        return Merged(render(document), ())
    try:
        return merge(content, document)
    except MergeRefused as error:
        for problem in error.problems:
            place = problem.place
            where = printable(f"{path}:{place.line}:{place.column}:")
            echo(f"{where} {paint(problem.message, Look.ERROR)}", err=True)
        lines = "" if error.problems else f"; add by hand:\n{render(document)}"
        raise click.ClickException(f"{path}: {printable(str(error))}{lines}") from None


def write_output(path: str, text: str, source: str | None) -> None:
    """Write the file, unless it is so already: its time tells whether K3s has seen it.

    Whoever could not read what it is made of, or should not read the logins that are in
    it, cannot read it either.

    Args:
        path: The file.
        text: What it is to hold.
        source: The file that this was merged with, if one was named.

    Raises:
        OSError: It cannot be written.
    """
    registries, _ = read_registries(text.encode("utf-8"))
    has_login = any(config.auth is not None for config in registries.configs.values())
    mode = 0o600 if has_login else 0o644
    if source is not None:
        with suppress(FileNotFoundError):
            mode &= os.stat(source).st_mode
    with suppress(FileNotFoundError):
        with open(path, "rb") as file:
            if file.read() == text.encode("utf-8"):
                click.echo(f"{path}: is so already", err=True)
                return
    write_file(os.path.realpath(path), text, mode | 0o600)
    click.echo(f"{path}: written; K3s reads it when it starts", err=True)


def write_hosts(directory: str, text: str, *, without_default: bool) -> None:
    """Write what K3s would make of a file for containerd.

    Raises:
        OSError: It cannot be written.
    """
    registries, _ = read_registries(text.encode("utf-8"))
    certs = make_certs_d(registries, without_default=without_default)
    for name, file in certs.files.items():
        path = os.path.join(directory, name, "hosts.toml")
        if "/" in name or name in {"", ".", ".."} or not name.isprintable():
            click.echo(f"{name!r} is no registry's name: no file for it", err=True)
            continue
        write_file(path, file.render())
        click.echo(f"{path}: written", err=True)
    for ignored in certs.ignored:
        click.echo(f"{ignored.word.text!r} is left out, as by K3s: {ignored.reason}", err=True)
