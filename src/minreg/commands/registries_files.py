"""What ``minreg registries`` reads and writes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from minreg.node.registries.certs_d import make_certs_d
from minreg.node.registries.file import read_registries
from minreg.node.registries.merge import Merged, MergeRefused, merge
from minreg.node.registries.text import Document, render
from minreg.node.writing import write_file


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
            click.echo(f"{path}:{place.line}:{place.column}: {problem.message}", err=True)
        lines = "" if error.problems else f"; add by hand:\n{render(document)}"
        raise click.ClickException(f"{path}: {error}{lines}") from None


def write_output(path: str, text: str, *, has_login: bool) -> None:
    """Write the file, unless it is so already: its time tells whether K3s has seen it.

    Raises:
        OSError: It cannot be written.
    """
    with suppress(FileNotFoundError):
        with open(path, "rb") as file:
            if file.read() == text.encode("utf-8"):
                click.echo(f"{path}: is so already", err=True)
                return
    write_file(os.path.realpath(path), text, 0o600 if has_login else 0o644)
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
        if "/" in name or name in {"", ".", ".."}:
            click.echo(f"{name!r} is no registry's name: no file for it", err=True)
            continue
        write_file(path, file.render())
        click.echo(f"{path}: written", err=True)
    for ignored in certs.ignored:
        click.echo(f"{ignored.word.text!r} is left out, as by K3s: {ignored.reason}", err=True)
