"""``minreg preflight``: checks that a tree has all images that nodes will pull."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import click

from minreg.commands.arguments import check_platforms, read_list
from minreg.commands.images import echo_notes, read_manifests
from minreg.commands.reports import CouldNotLook, WrongUsage, hashing_bar, is_interruption
from minreg.commands.terminal import Style, colorize, echo
from minreg.commands.trees import find_tree
from minreg.defaults import DEFAULT_ALIAS
from minreg.preflight.query import CannotCheck, PreflightQuery, QueryInvalid, RequiredImage
from minreg.preflight.report import PreflightReport
from minreg.preflight.tree_check import TreePreflight
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
    ignore_likely: bool
    deep: bool
    as_json: bool

    def check(self) -> None:
        """Check that the options can be used together.

        Raises:
            UsageError: They cannot.
        """
        if not (self.k3s or self.files or self.manifests):
            raise click.UsageError("nothing to check: use --k3s, --file or --manifests")
        if not self.k3s and (self.upgrade or self.disabled or self.system_default_registry):
            raise click.UsageError(
                "--upgrade, --disable and --system-default-registry apply to a release: "
                "name it with --k3s"
            )
        if not self.upgrade and (self.upgrade_controller or self.upgrade_kubectl):
            raise click.UsageError("--upgrade-controller and --upgrade-kubectl need --upgrade")
        if [*self.files, *self.manifests].count("-") > 1:
            raise click.UsageError("standard input (-) can be used only once")


def run(**arguments: Any) -> None:
    """Check the images, and print those that are not ready.

    Raises:
        SystemExit: An image is not ready.
        CouldNotLook: The check could not be done.
    """
    options = PreflightOptions(**arguments)
    options.check()
    check_platforms(options.platforms)
    root = find_tree(options.directory)
    notes: list[str] = []
    with _reported_failures(options, notes):
        manifests = read_manifests(options.manifests)
        notes += manifests.notes
        preflight = _make_preflight(options, root, manifests.images)
        if options.deep:
            with hashing_bar(preflight.total_bytes) as advanced:
                preflight.hash_all(advanced)
    report = preflight.report(ignores_likely=options.ignore_likely)
    if options.as_json:
        click.echo(json.dumps({**report.as_json(), "notes": notes}, indent=2))
    else:
        _print(report, notes)
        if not report.is_ready:
            hint = _suggest_download(report, root, has_hosts=preflight.has_hosts)
            click.echo(hint, err=True)
    if not report.is_ready:
        sys.exit(1)


@contextmanager
def _reported_failures(options: PreflightOptions, notes: Sequence[str]) -> Iterator[None]:
    """Report in one line why the check could not be done, after the notes that were added."""
    try:
        yield
    except (CannotCheck, StoreUnavailable) as failure:
        _print_notes(notes, as_json=options.as_json)
        raise CouldNotLook(printable(str(failure))) from None
    except (QueryInvalid, SettingInvalid) as failure:
        raise WrongUsage(printable(str(failure))) from None
    except (KeyboardInterrupt, RuntimeError) as failure:
        if not is_interruption(failure):
            raise
        raise CouldNotLook("stopped before the check was complete") from None


def _print_notes(notes: Sequence[str], *, as_json: bool) -> None:
    """Print the notes of a check that could not be done."""
    if as_json and notes:
        nothing = {"ready": False, "images": 0, "findings": [], "more": 0, "notes": list(notes)}
        click.echo(json.dumps(nothing, indent=2))
    elif notes:
        echo_notes(notes)


def _make_preflight(
    options: PreflightOptions, root: str, images: Sequence[RequiredImage]
) -> TreePreflight:
    aliases = dict(map(parse_alias, (DEFAULT_ALIAS, *options.registry_alias)))
    links = [check_directory(path) for path in options.allow_links_to]
    listed = [
        RequiredImage(image, f"list {path}") for path in options.files for image in read_list(path)
    ]
    query = PreflightQuery.parse(
        release=options.k3s,
        platforms=options.platforms,
        disabled=options.disabled,
        upgrade=options.upgrade,
        controller=options.upgrade_controller,
        kubectl=options.upgrade_kubectl,
        registry=options.system_default_registry,
        more=[*listed, *images],
    )
    return TreePreflight(RegistryTree(root, aliases, links), aliases, query)


def _print(report: PreflightReport, notes: Sequence[str]) -> None:
    """Print the list to standard output, and the rest to standard error."""
    for line in report.lines():
        click.echo(line)
    echo_notes(notes)
    verdict = Style.SUCCESS if report.is_ready else Style.ERROR
    echo(colorize(report.summary(), verdict, bold=True), err=True)


def _suggest_download(report: PreflightReport, directory: str, *, has_hosts: bool) -> str:
    """Return how to download the missing images."""
    platforms = "".join(f" --platform {name}" for name in report.platforms)
    hosts = " --no-trim" if has_hosts else ""
    return (
        "to download these, pipe the list on a machine with a network into: minreg download "
        f"--skip-k3s{platforms}{hosts} --directory {directory} --file -"
    )
