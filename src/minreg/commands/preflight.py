"""``minreg preflight``: whether all that a node will ask for is in a tree."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import click

from minreg.commands.arguments import directory_option, read_list
from minreg.commands.reports import CouldNotLook, WrongUsage, hashing_bar, is_interruption
from minreg.preflight.query import (
    COMPONENTS,
    DEFAULT_CONTROLLER,
    DEFAULT_KUBECTL,
    CannotCheck,
    PreflightQuery,
    QueryInvalid,
    WantedImage,
)
from minreg.preflight.report import PreflightReport
from minreg.preflight.tree_check import Preflight
from minreg.settings import DEFAULT_ALIAS, SettingInvalid, check_directory, parse_alias
from minreg.store.interfaces import StoreUnavailable
from minreg.store.tree import RegistryTree
from minreg.text import printable


@attrs.frozen
class PreflightOptions:
    """The command line."""

    directory: str
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


@click.command(
    "preflight",
    help="""Check that all is in a tree that a node will ask for: before it asks.

    Each image of a K3s release, of lists and of Kubernetes manifests is followed as a node
    would: from its tag to the manifest for the node's platform, a config that is really of
    that platform, and the layers. The standard output lists the images that are not ready,
    as 'minreg download --skip-k3s -f -' reads them. The exit status is 0 if all is there,
    1 if not, and 2 if that could not be found out.
    """,
)
@directory_option
@click.option(
    "-k",
    "--k3s",
    metavar="VERSION",
    help="A K3s release, such as v1.33.4+k3s1, whose list 'minreg download' kept in the tree.",
)
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="A list of images, one a line; - is the standard input. Repeatable.",
)
@click.option(
    "-m",
    "--manifests",
    metavar="DIR",
    multiple=True,
    help="Kubernetes manifests: a directory, a file, a pipe, or - for standard input. Repeatable.",
)
@click.option(
    "-p",
    "--platform",
    "platforms",
    multiple=True,
    help="A platform of nodes, such as linux/arm64, or 'all'. Repeatable.  [default: this one's]",
)
@click.option(
    "--disable",
    "disabled",
    metavar="COMPONENT",
    multiple=True,
    help=f"What K3s is told to leave out: {', '.join(COMPONENTS)}. Repeatable.",
)
@click.option("--upgrade", is_flag=True, help="Also what the system-upgrade-controller needs.")
@click.option(
    "--upgrade-controller",
    metavar="IMAGE",
    help=f"The controller itself.  [default: as in --manifests, or {DEFAULT_CONTROLLER}]",
)
@click.option(
    "--upgrade-kubectl",
    metavar="IMAGE",
    help=f"What it drains nodes with.  [default: as in --manifests, or {DEFAULT_KUBECTL}]",
)
@click.option(
    "--system-default-registry",
    metavar="HOST",
    help="The registry that K3s is told to have its own images from.",
)
@click.option(
    "--registry-alias",
    metavar="NAME=HOST",
    multiple=True,
    help=f"As for 'minreg serve', besides {DEFAULT_ALIAS}. Repeatable.",
)
@click.option("--allow-links-to", metavar="DIR", multiple=True, help="As for 'minreg serve'.")
@click.option("--deep", is_flag=True, help="Hash all content, too.")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON object.")
def command(**options: Any) -> None:
    """Look, and exit with the status that tells the outcome."""
    wishes = PreflightOptions(**options)
    wishes.check()
    with _could_not_look():
        named = _read_manifests(wishes.manifests)
        preflight = _make_preflight(wishes, named.images)
        if wishes.deep:
            with hashing_bar(preflight.total_bytes) as advanced:
                preflight.hash_all(advanced)
    report = preflight.report()
    if wishes.as_json:
        click.echo(json.dumps({**report.as_json(), "notes": named.notes}, indent=2))
    else:
        _print(report, named.notes)
        if not report.is_ready:
            advice = _advise(report, wishes.directory, has_hosts=preflight.has_hosts)
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
    try:
        from minreg.k3s.manifests.image_references import read_manifests  # noqa: PLC0415 - see above
        from minreg.k3s.manifests.manifest_files import ManifestsInvalid  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise CouldNotLook(f"--manifests needs {error.name}: pip install 'minreg[node]'") from None
    try:
        result = read_manifests(paths, sys.stdin.buffer)
    except ManifestsInvalid as error:
        raise WrongUsage(str(error)) from None
    return _Named(result.images, result.notes)


def _make_preflight(wishes: PreflightOptions, named: Sequence[WantedImage]) -> Preflight:
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
    return Preflight(RegistryTree(wishes.directory, aliases, links), aliases, question)


def _print(report: PreflightReport, notes: Sequence[str]) -> None:
    """Print the list on the standard output, and the rest beside it."""
    for line in report.lines():
        click.echo(line)
    for note in notes:
        click.echo(f"note: {note}", err=True)
    click.echo(report.summary(), err=True)


def _advise(report: PreflightReport, directory: str, *, has_hosts: bool) -> str:
    """Say how what is missing can be had."""
    platforms = "".join(f" --platform {name}" for name in report.platforms)
    hosts = " --no-trim" if has_hosts else ""
    return (
        "to fetch these, pipe the list, where there is a network, into: minreg download "
        f"--skip-k3s{platforms}{hosts} --directory {directory} --file -"
    )
