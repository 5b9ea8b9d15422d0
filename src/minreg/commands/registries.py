"""``minreg registries``: writes ``registries.yaml``, or adds to an existing one."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import attrs
import click

from minreg.commands.reports import WrongUsage
from minreg.commands.terminal import Style, colorize, echo
from minreg.commands.trees import find_root
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
    """Report a file that cannot be read or written in one line, with exit status 1."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            # Standard output cannot be written.
            raise
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None


def merge_with(path: str | None, document: Document) -> Merged:
    """Merge the document into an existing file; without one, return it alone.

    Args:
        path: The file, None if ``--merge`` is not used.
        document: The mirrors and settings to add.

    Raises:
        OSError: The file cannot be read.
        ClickException: Nothing can be added to the file.
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
            echo(f"{where} {colorize(problem.message, Style.ERROR)}", err=True)
        lines = "" if error.diagnostics else f"; add by hand:\n{render(document)}"
        raise click.ClickException(f"{path}: {printable(str(error))}{lines}") from None


def write_output(path: str, text: str, source: str | None) -> None:
    """Write the file, unless it has this text already.

    An unchanged file keeps its time, by which the doctor tells whether K3s has read it. A file
    with a login is readable only by its owner, and no file by more users than its source.

    Args:
        path: The file.
        text: Its text.
        source: The file that the text was merged with, None if there is none.

    Raises:
        OSError: The file cannot be written.
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
                click.echo(f"{path}: already up to date", err=True)
                return
    write_file(os.path.realpath(path), text, mode | 0o600)
    click.echo(f"{path}: written; K3s reads it when it starts", err=True)


def write_hosts(directory: str, text: str, *, without_default: bool) -> None:
    """Write the ``hosts.toml`` files that K3s would make of a ``registries.yaml``.

    Args:
        directory: The directory to write to, like containerd's ``certs.d``.
        text: The text of ``registries.yaml``.
        without_default: Whether K3s runs with ``--disable-default-registry-endpoint``.

    Raises:
        OSError: A file cannot be written.
    """
    registries, _ = read_registries(text.encode("utf-8"))
    certs = make_certs_d(registries, without_default=without_default)
    for name, file in certs.files.items():
        path = os.path.join(directory, name, "hosts.toml")
        if "/" in name or name in {"", ".", ".."} or not name.isprintable():
            click.echo(
                f"{name!r} is not the name of a registry: no file was written for it", err=True
            )
            continue
        write_file(path, file.render())
        click.echo(f"{path}: written", err=True)
    for ignored in certs.ignored:
        click.echo(f"{ignored.source.text!r} is ignored, as by K3s: {ignored.reason}", err=True)


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


def run(**arguments: object) -> None:
    """Write the file, or print its text.

    Raises:
        WrongUsage: The options cannot be used together, or one is invalid.
        ClickException: A file cannot be read or written.
        SystemExit: Something has to be added by hand.
    """
    _run(_Options(**arguments))  # type: ignore[arg-type] # click has checked them


def _run(options: _Options) -> None:
    with reported_problems():
        try:
            selection, notes = _select(options)
            document = selection.document()
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


def _select(options: _Options) -> tuple[MirrorSelection, list[str]]:
    """Return the mirrors and settings to write, and notes about them."""
    names = [WILDCARD]
    notes: list[str] = []
    registry = check_registry(options.system_default_registry)
    if options.wildcard:
        if options.registries:
            raise SelectionInvalid("--wildcard applies to all registries: do not name any")
    else:
        names, notes = _names(options, registry)
    if registry not in {MIRROR_NAME, DOCKER_HUB}:
        notes.append(
            f"start minreg with --registry-alias {registry}=docker.io if the tree was filled with "
            "--no-trim"
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
    arguments = [check_registry(text) for text in options.registries]
    directory = find_root(options.directory)
    notes: list[str] = []
    hosts: list[str] = []
    if directory is not None:
        repositories = TreeReader(directory).iterate_repositories(notes.append)
        hosts, has_others = list_hosts(repositories)
        if not hosts and not has_others:
            notes.append(f"{directory} has no repository")
        elif has_others and not arguments:
            notes.append(
                f"{directory} has repositories without the host of their registry: if pods pull "
                f"from other registries than {registry}, name them, or use --wildcard"
            )
    elif not arguments:
        raise SelectionInvalid(
            "no registry tree found: name it with -d, name registries, or use --wildcard"
        )
    return list(dict.fromkeys([registry, *hosts, *arguments])), notes


def _tls(options: _Options) -> Mapping[str, str | bool]:
    if (options.cert_file is None) != (options.key_file is None):
        raise SelectionInvalid("--cert-file and --key-file must be used together")
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
        raise SelectionInvalid("--username and --password-file must be used together")
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
