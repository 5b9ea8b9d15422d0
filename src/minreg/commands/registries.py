"""``minreg registries``: the file that has K3s pull from minreg."""

import sys
from collections.abc import Mapping, Sequence

import attrs
import click

from minreg.commands.registries_files import (
    merge_with,
    reported_problems,
    write_hosts,
    write_output,
)
from minreg.commands.reports import WrongUsage
from minreg.commands.trees import look_for_tree
from minreg.defaults import MIRROR_NAME
from minreg.fill.tree.contents import TreeContents
from minreg.names import DOCKER_HUB
from minreg.node.registries.wanted import (
    WILDCARD,
    Choice,
    ChoiceInvalid,
    check_endpoint,
    check_path,
    check_registry,
    hosts_of,
)
from minreg.words import printable


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
        except ChoiceInvalid as error:
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
    if registry not in {MIRROR_NAME, DOCKER_HUB}:
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
    directory = look_for_tree(options.directory)
    notes = []
    hosts: list[str] = []
    if directory is not None:
        walk = TreeContents(directory).walk()
        hosts, has_others = hosts_of(walk.iterate_places())
        notes += walk.unread
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
    try:
        with click.open_file(options.password_file, encoding="utf-8") as file:
            password = file.read().rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        password = ""
    if not password:
        raise ChoiceInvalid(f"--password-file {options.password_file} has no password to be read")
    return {"username": options.username, "password": password}
