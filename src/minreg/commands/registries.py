"""``minreg registries``: the file that has K3s pull from minreg."""

import os
import sys
from collections.abc import Mapping, Sequence

import attrs
import click

from minreg.commands.reports import WrongUsage
from minreg.fill.contents import TreeContents
from minreg.node.certs_d import make_certs_d
from minreg.node.registries_file import read_registries
from minreg.node.registries_merge import Merged, MergeRefused, merge
from minreg.node.registries_text import Document, render
from minreg.node.units import DEFAULT_ROOT, ENDPOINT, REGISTRIES
from minreg.node.wanted_registries import (
    WILDCARD,
    Choice,
    ChoiceInvalid,
    check_endpoint,
    check_path,
    check_registry,
    hosts_of,
)
from minreg.node.writing import write_file
from minreg.settings import DEFAULT_ALIAS, parse_alias

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
    try:
        choice, notes = _choose(options)
        document = choice.document()
    except ChoiceInvalid as error:
        raise WrongUsage(str(error)) from None
    merged = Merged(render(document), ())
    if options.merge is not None:
        merged = _merge(options.merge, document)
    try:
        _write(options, merged.text, has_login=bool(choice.auth))
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    for message in notes:
        click.echo(message, err=True)
    for note in merged.notes:
        click.echo(f"{options.merge}:{note.line}: {note.message}", err=True)
    if any(note.is_left for note in merged.notes):
        sys.exit(1)


def _choose(options: _Options) -> tuple[Choice, list[str]]:
    """Make the choice, and note what there is to know about it."""
    names = [WILDCARD]
    notes: list[str] = []
    registry = check_registry(options.system_default_registry)
    if options.wildcard:
        if options.registries:
            raise ChoiceInvalid("--wildcard is for all registries: leave their names off")
    else:
        names, notes = _names(options, registry)
    if registry != _REGISTRY:
        notes.append(
            f"minreg needs --registry-alias {registry}=docker.io, if the tree keeps hosts"
        )
    return (
        Choice(
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
        hosts, has_others = hosts_of(TreeContents(directory).iterate_places())
        if not hosts and not has_others:
            notes.append(f"{directory} holds no repository")
        elif has_others and not named:
            notes.append(
                f"{directory} has images without their registries' names: for images that pods "
                f"do not call {registry}/…, name the registries here, or say --wildcard"
            )
    elif not named:
        raise ChoiceInvalid(
            "there is no tree to look at: name it with -d, or name registries, or say --wildcard"
        )
    return list(dict.fromkeys([registry, *hosts, *named])), notes


def _tls(options: _Options) -> Mapping[str, str | bool]:
    if (options.cert_file is None) != (options.key_file is None):
        raise ChoiceInvalid("--cert-file and --key-file belong together: give both")
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
        raise ChoiceInvalid("--username and --password-file belong together: give both")
    if options.username is None or options.password_file is None:
        return {}
    with click.open_file(options.password_file, encoding="utf-8") as file:
        return {"username": options.username, "password": file.read().rstrip("\r\n")}


def _merge(path: str, document: Document) -> Merged:
    try:
        with open(path, "rb") as file:
            return merge(file.read(), document)
    except FileNotFoundError:
        return Merged(render(document), ())
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from None
    except MergeRefused as error:
        for problem in error.problems:
            place = problem.place
            click.echo(f"{path}:{place.line}:{place.column}: {problem.message}", err=True)
        lines = "" if error.problems else f"; add by hand:\n{render(document)}"
        raise click.ClickException(f"{path}: {error}{lines}") from None


def _write(options: _Options, text: str, *, has_login: bool) -> None:
    mode = 0o600 if has_login else 0o644
    if options.output is not None:
        write_file(os.path.realpath(options.output), text, mode)
        click.echo(f"{options.output}: written; K3s reads it when it starts", err=True)
    elif options.hosts_toml is None:
        click.echo(text, nl=False)
    if options.hosts_toml is None:
        return
    registries, _ = read_registries(text.encode("utf-8"))
    certs = make_certs_d(registries, without_default=options.disable_default_registry_endpoint)
    for directory, file in certs.files.items():
        path = os.path.join(options.hosts_toml, directory, "hosts.toml")
        write_file(path, file.render(), 0o644)
        click.echo(f"{path}: written", err=True)
