"""``minreg preflight``: whether all that a node will ask for is in a tree."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import click

from minreg.commands.arguments import check_platforms, read_list
from minreg.commands.reports import CouldNotLook, WrongUsage, hashing_bar, is_interruption
from minreg.commands.terminal import Look, echo, paint
from minreg.commands.trees import find_tree
from minreg.defaults import DEFAULT_ALIAS
from minreg.preflight.query import CannotCheck, PreflightQuery, QueryInvalid, WantedImage
from minreg.preflight.report import PreflightReport
from minreg.preflight.tree_check import Preflight
from minreg.settings import SettingInvalid, check_directory, parse_alias
from minreg.store.interfaces import StoreUnavailable
from minreg.store.tree import RegistryTree
from minreg.text import printable


@attrs.frozen
class PreflightOptions:
    """The command line."""

    directory: str | None
    k3s: str | None
    files: tuple[str, ...]
    manifests: tuple[str, ...]
    platforms: tuple[str, ...]
    disabled: tuple[str, ...]
    upgrade: bool
    upgrade_controller: str | None
    upgrade_kubectl: str | None
    system_default_registry: str | None
    registry_alias: tuple[str, ...]
    allow_links_to: tuple[str, ...]
    deep: bool
    as_json: bool

    def check(self) -> None:
        """Make sure that the options go together.

        Raises:
            UsageError: They do not.
        """
        if not (self.k3s or self.files or self.manifests):
            raise click.UsageError("nothing to look for: name --k3s, --file or --manifests")
        if not self.k3s and (self.upgrade or self.disabled or self.system_default_registry):
            raise click.UsageError(
                "--upgrade, --disable and --system-default-registry are about a release: "
                "name it with --k3s"
            )
        if not self.upgrade and (self.upgrade_controller or self.upgrade_kubectl):
            raise click.UsageError("--upgrade-controller and --upgrade-kubectl go with --upgrade")
        if [*self.files, *self.manifests].count("-") > 1:
            raise click.UsageError("the standard input can be read only once")


def run(**options: Any) -> None:
    """Look, and exit with the status that tells the outcome."""
    wishes = PreflightOptions(**options)
    wishes.check()
    check_platforms(wishes.platforms)
    root = find_tree(wishes.directory)
    with _could_not_look():
        named = _read_manifests(wishes.manifests)
        preflight = _make_preflight(wishes, root, named.images)
        if wishes.deep:
            with hashing_bar(preflight.total_bytes) as advanced:
                preflight.hash_all(advanced)
    report = preflight.report()
    if wishes.as_json:
        click.echo(json.dumps({**report.as_json(), "notes": named.notes}, indent=2))
    else:
        _print(report, named.notes)
        if not report.is_ready:
            advice = _advise(report, root, has_hosts=preflight.has_hosts)
            click.echo(advice, err=True)
    if not report.is_ready:
        sys.exit(1)


@contextmanager
def _could_not_look() -> Iterator[None]:
    """Say in a line what kept the command from finding out anything."""
    try:
        yield
    except (CannotCheck, StoreUnavailable) as failure:
        raise CouldNotLook(printable(str(failure))) from None
    except (QueryInvalid, SettingInvalid) as failure:
        raise WrongUsage(printable(str(failure))) from None
    except (KeyboardInterrupt, RuntimeError) as failure:
        if not is_interruption(failure):
            raise
        raise CouldNotLook("stopped before all was looked at") from None


@attrs.frozen
class _Named:
    """What manifests name: images, and in notes what cannot be known."""

    images: Sequence[WantedImage] = ()
    notes: Sequence[str] = ()


def _read_manifests(paths: Sequence[str]) -> _Named:
    """Read manifests; without any, nothing of YAML is needed."""
    if not paths:
        return _Named()
    from minreg.k3s.manifests.image_references import read_manifests  # noqa: PLC0415 - see above
    from minreg.k3s.manifests.manifest_files import ManifestsInvalid  # noqa: PLC0415

    try:
        result = read_manifests(paths, sys.stdin.buffer)
    except ManifestsInvalid as error:
        raise WrongUsage(str(error)) from None
    return _Named(result.images, result.notes)


def _make_preflight(
    wishes: PreflightOptions, root: str, named: Sequence[WantedImage]
) -> Preflight:
    aliases = dict(map(parse_alias, (DEFAULT_ALIAS, *wishes.registry_alias)))
    links = [check_directory(path) for path in wishes.allow_links_to]
    listed = [
        WantedImage(image, f"list {path}") for path in wishes.files for image in read_list(path)
    ]
    question = PreflightQuery.parse(
        release=wishes.k3s,
        platforms=wishes.platforms,
        disabled=wishes.disabled,
        upgrade=wishes.upgrade,
        controller=wishes.upgrade_controller,
        kubectl=wishes.upgrade_kubectl,
        registry=wishes.system_default_registry,
        more=[*listed, *named],
    )
    return Preflight(RegistryTree(root, aliases, links), aliases, question)


def _print(report: PreflightReport, notes: Sequence[str]) -> None:
    """Print the list on the standard output, and the rest beside it."""
    for line in report.lines():
        click.echo(line)
    for note in notes:
        echo(f"{paint('note:', Look.WARNING)} {note}", err=True)
    verdict = Look.GOOD if report.is_ready else Look.ERROR
    echo(paint(report.summary(), verdict, bold=True), err=True)


def _advise(report: PreflightReport, directory: str, *, has_hosts: bool) -> str:
    """Say how what is missing can be had."""
    platforms = "".join(f" --platform {name}" for name in report.platforms)
    hosts = " --no-trim" if has_hosts else ""
    return (
        "to fetch these, pipe the list, where there is a network, into: minreg download "
        f"--skip-k3s{platforms}{hosts} --directory {directory} --file -"
    )
