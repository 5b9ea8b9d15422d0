"""What ``minreg registries`` reads and writes."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import attrs
import click

from minreg.commands.reports import WrongUsage
from minreg.commands.terminal import Look, echo, paint
from minreg.commands.trees import look_for_tree
from minreg.defaults import MIRROR_NAME, WILDCARD
from minreg.fill.tree.reader import TreeReader
from minreg.k3s.registries.certs_d import make_certs_d
from minreg.k3s.registries.merge import Merged, MergeRefused, merge
from minreg.k3s.registries.registries_yaml import read_registries
from minreg.k3s.registries.selection import (
    MirrorSelection,
    SelectionInvalid,
    check_endpoint,
    check_path,
    check_registry,
    list_hosts,
)
from minreg.k3s.registries.yaml_writer import Document, render
from minreg.node.managed_files import write_file
from minreg.oci.names import DOCKER_HUB
from minreg.text import printable


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
        for problem in error.diagnostics:
            position = problem.position
            where = printable(f"{path}:{position.line}:{position.column}:")
            echo(f"{where} {paint(problem.message, Look.ERROR)}", err=True)
        lines = "" if error.diagnostics else f"; add by hand:\n{render(document)}"
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
        click.echo(f"{ignored.source.text!r} is left out, as by K3s: {ignored.reason}", err=True)


@attrs.frozen(kw_only=True)
class _Options:
    """The command line."""

    registries: Sequence[str]
    directory: str | None
    wildcard: bool
    system_default_registry: str
    endpoint: Sequence[str]
    ca_file: str | None
    cert_file: str | None
    key_file: str | None
    insecure_skip_verify: bool
    username: str | None
    password_file: str | None
    merge: str | None
    output: str | None
    hosts_toml: str | None
    disable_default_registry_endpoint: bool


def run(**options: object) -> None:
    """Write the file."""
    _run(_Options(**options))  # type: ignore[arg-type] # click has checked them


def _run(options: _Options) -> None:
    with reported_problems():
        try:
            choice, notes = _choose(options)
            document = choice.document()
        except SelectionInvalid as error:
            raise WrongUsage(str(error)) from None
        merged = merge_with(options.merge, document)
        if options.output is not None:
            write_output(options.output, merged.text, options.merge)
        elif options.hosts_toml is None:
            click.echo(merged.text, nl=False)
        if options.hosts_toml is not None:
            write_hosts(
                options.hosts_toml,
                merged.text,
                without_default=options.disable_default_registry_endpoint,
            )
    for message in notes:
        click.echo(message, err=True)
    for note in merged.notes:
        click.echo(f"{options.merge}:{note.line}: {printable(note.message)}", err=True)
    if any(note.is_left for note in merged.notes):
        sys.exit(1)


def _choose(options: _Options) -> tuple[MirrorSelection, list[str]]:
    """Make the choice, and note what there is to know about it."""
    names = [WILDCARD]
    notes: list[str] = []
    registry = check_registry(options.system_default_registry)
    if options.wildcard:
        if options.registries:
            raise SelectionInvalid("--wildcard is for all registries: leave their names off")
    else:
        names, notes = _names(options, registry)
    if registry not in {MIRROR_NAME, DOCKER_HUB}:
        notes.append(
            f"minreg needs --registry-alias {registry}=docker.io, if the tree keeps hosts"
        )
    return (
        MirrorSelection(
            names,
            list(dict.fromkeys(check_endpoint(text) for text in options.endpoint)),
            _tls(options),
            _auth(options),
        ),
        notes,
    )


def _names(options: _Options, registry: str) -> tuple[list[str], list[str]]:
    named = [check_registry(text) for text in options.registries]
    directory = look_for_tree(options.directory)
    notes = []
    hosts: list[str] = []
    if directory is not None:
        walk = TreeReader(directory).walk()
        hosts, has_others = list_hosts(walk.iterate_places())
        notes += walk.unread
        if not hosts and not has_others:
            notes.append(f"{directory} holds no repository")
        elif has_others and not named:
            notes.append(
                f"{directory} has images without their registries' names: for images that pods "
                f"do not call {registry}/…, name the registries here, or say --wildcard"
            )
    elif not named:
        raise SelectionInvalid(
            "there is no tree to look at: name it with -d, or name registries, or say --wildcard"
        )
    return list(dict.fromkeys([registry, *hosts, *named])), notes


def _tls(options: _Options) -> Mapping[str, str | bool]:
    if (options.cert_file is None) != (options.key_file is None):
        raise SelectionInvalid("--cert-file and --key-file belong together: give both")
    settings: dict[str, str | bool] = {}
    for name in ("ca_file", "cert_file", "key_file"):
        path: str | None = getattr(options, name)
        if path is not None:
            settings[name] = check_path(path, f"--{name.replace('_', '-')}")
    if options.insecure_skip_verify:
        settings["insecure_skip_verify"] = True
    return settings


def _auth(options: _Options) -> Mapping[str, str]:
    if (options.username is None) != (options.password_file is None):
        raise SelectionInvalid("--username and --password-file belong together: give both")
    if options.username is None or options.password_file is None:
        return {}
    try:
        with click.open_file(options.password_file, encoding="utf-8") as file:
            password = file.read().rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        password = ""
    if not password:
        raise SelectionInvalid(f"--password-file {options.password_file} has no password")
    return {"username": options.username, "password": password}
