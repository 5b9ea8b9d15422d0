"""What ``minreg registries`` reads and writes."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import attrs
import click

from minreg.commands.reports import WrongUsage
from minreg.fill.tree.reader import TreeReader
from minreg.k3s.defaults import DEFAULT_ROOT, ENDPOINT, WILDCARD
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
from minreg.node.install import write_file
from minreg.node.units import REGISTRIES
from minreg.oci.names import DOCKER_HUB
from minreg.settings import DEFAULT_ALIAS, parse_alias
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
            position, message = problem.position, printable(problem.message)
            click.echo(f"{path}:{position.line}:{position.column}: {message}", err=True)
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


_REGISTRY, _ = parse_alias(DEFAULT_ALIAS)
_DIRECTORIES = ("./registry", DEFAULT_ROOT)


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


@click.command(
    "registries",
    help=f"""Write the registries.yaml that has K3s pull from minreg.

    It names K3s' own registry, each registry whose name the tree keeps (minreg download
    --no-trim), and each REGISTRY that is named here. K3s reads {REGISTRIES} when it starts.
    """,
)
@click.argument("registries", nargs=-1, metavar="[REGISTRY]...")
@click.option(
    "-d",
    "--directory",
    type=click.Path(exists=True, file_okay=False),
    help=f"The root of the tree.  [default: {_DIRECTORIES[0]}, or else {DEFAULT_ROOT}]",
)
@click.option("--wildcard", is_flag=True, help="One entry for all registries, whatever they are.")
@click.option(
    "--system-default-registry",
    default=_REGISTRY,
    show_default=True,
    metavar="NAME",
    help="What K3s is given by its own option of this name.",
)
@click.option(
    "--endpoint",
    multiple=True,
    default=[ENDPOINT],
    show_default=True,
    metavar="URL",
    help="Where minreg is to be found; repeatable, in the order in which K3s is to ask.",
)
@click.option(
    "--ca-file", metavar="FILE", help="What https:// endpoints' certificates go back to."
)
@click.option("--cert-file", metavar="FILE", help="The certificate that K3s shows them.")
@click.option("--key-file", metavar="FILE", help="The key to that.")
@click.option("--insecure-skip-verify", is_flag=True, help="Take any certificate of theirs.")
@click.option("--username", help="How endpoints on other machines know K3s.")
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="The file with the password, or - for the standard input.",
)
@click.option(
    "--merge",
    metavar="FILE",
    help="Add to what stands in FILE, and leave all of that as it is.",
)
@click.option("--output", metavar="FILE", help="Write FILE instead of the standard output.")
@click.option(
    "--hosts-toml",
    type=click.Path(file_okay=False),
    help="Write what K3s would make of it for containerd, into this directory.",
)
@click.option(
    "--disable-default-registry-endpoint",
    is_flag=True,
    help="K3s is started with this option; for --hosts-toml.",
)
def command(**options: object) -> None:
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
    if registry not in {_REGISTRY, DOCKER_HUB}:
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
    directories = [options.directory] if options.directory is not None else _DIRECTORIES
    directory = next(filter(os.path.isdir, directories), None)
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
