"""``minreg node``: minreg as a service of a K3s node."""

import errno
import os
import sys
import sysconfig
from collections.abc import Callable, Iterable

import click

from minreg.commands.groups import SuggestingGroup
from minreg.commands.reports import WrongUsage
from minreg.node.install import Installation, Step
from minreg.node.paths import PathUnsuitable, check_program, check_root, check_runs
from minreg.node.placement import read_file
from minreg.node.routes import has_default_route
from minreg.node.units import (
    DEFAULT_ROOT,
    DISTRIBUTIONS,
    SERVICE,
    find_distributions,
    make_links,
    make_registries,
    make_units,
    parse_choice,
)

_START = (
    "now: systemctl daemon-reload && systemctl start minreg.socket && systemctl restart minreg"
)
STOP = "systemctl stop 'minreg*'; systemctl daemon-reload"
"""What stops all that was installed, once its files are gone."""

_IN_THE_WAY = "move away what is in its place"
_MENDS = {
    errno.EACCES: "run this as root",
    errno.EPERM: "run this as root",
    errno.EROFS: "mount that file system for writing, or name an image with --destdir",
    errno.EISDIR: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
}


@click.group(
    "node",
    cls=SuggestingGroup,
    help="Make minreg a service of this K3s node, or of an image of one.",
)
def command() -> None:
    """Collect the commands."""


def _common(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that both have."""
    for option in (
        click.option("--dry-run", is_flag=True, help="Only say what would be done."),
        click.option(
            "--destdir",
            default="/",
            type=click.Path(file_okay=False),
            help="The directory that stands for the node's root, for those who build images.",
        ),
    ):
        function = option(function)
    return function


@command.command("install")
@_common
@click.option(
    "--root", help=f"The registry tree.  [default: what was installed before, or {DEFAULT_ROOT}]"
)
@click.option(
    "--program",
    help="The twistd that runs minreg on the node.  "
    "[default: what was installed before, or that of this installation]",
)
@click.option(
    "--route/--no-route",
    default=None,
    help="Have a default route made at boot where there is none.  "
    "[default: if this node has none now]",
)
def install(
    *, dry_run: bool, destdir: str, root: str | None, program: str | None, route: bool | None
) -> None:
    """Write the systemd units, and the registries.yaml of K3s or RKE2.

    What is there already stays; a file that was changed by hand is never overwritten: what
    minreg would have written is shown, and the exit status is 1.
    """
    is_image = os.path.abspath(destdir) != "/"
    program, root = _choose(program, root, destdir, is_image=is_image)
    if route is None:
        route = not is_image and not has_default_route()
    installation = Installation(
        make_units(program, root),
        make_links(with_route=route),
        [make_registries(name) for name in find_distributions(root, destdir)],
        destdir,
        not dry_run,
    )
    if not dry_run:
        _remember_plugins()
    _report(installation.install(), "" if dry_run or is_image else _START)


@command.command("uninstall")
@_common
def uninstall(*, dry_run: bool, destdir: str) -> None:
    """Remove what install has written and nobody has changed. The registry tree stays."""
    is_image = os.path.abspath(destdir) != "/"
    # Of the files only their first lines matter now.
    installation = Installation(
        make_units("/", "/"),
        make_links(with_route=True),
        [make_registries(name) for name in DISTRIBUTIONS],
        destdir,
        not dry_run,
    )
    _report(installation.uninstall(), "" if dry_run or is_image else f"now: {STOP}")


def _choose(
    program: str | None, root: str | None, destdir: str, *, is_image: bool
) -> tuple[str, str]:
    """Find the program and the root: what is asked for, or was before, or else is usual."""
    before = parse_choice(read_file(destdir, SERVICE) or "")
    kept = [
        f"--{option} {value}"
        for option, given, value in (
            ("program", program, before.program),
            ("root", root, before.root),
        )
        if given is None and value is not None
    ]
    if kept:
        click.echo(f"{' '.join(kept)}: as installed before")
    ours = os.path.join(sysconfig.get_path("scripts"), "twistd")
    try:
        program = check_program(program or before.program or ours)
        if not is_image:
            check_runs(program)
        return program, check_root(root or before.root or DEFAULT_ROOT)
    except PathUnsuitable as error:
        raise WrongUsage(str(error)) from None


def _remember_plugins() -> None:
    """Have Twisted write down its plugins, which the service has no right to do.

    Without that it would look for them, and log that it cannot write, at each start.
    """
    from twisted.application.service import IServiceMaker  # noqa: PLC0415 - only needed here
    from twisted.plugin import getPlugins  # noqa: PLC0415 - only needed here

    list(getPlugins(IServiceMaker))


def find_mend(error: OSError) -> str:
    """Say what to do where a file cannot be written or removed."""
    return _MENDS.get(error.errno or 0, "see to that, and run this again")


def _report(steps: Iterable[Step], then: str) -> None:
    """Carry out all steps, whoever listens, and then tell of them."""
    lines: list[str] = []
    is_left = False
    complaint = ""
    try:
        for step in steps:
            lines.append(f"{step.path}: {step.action}\n{step.detail}")
            is_left |= step.is_left
    except OSError as error:
        complaint = f"{error.filename}: {error.strerror}: {find_mend(error)}"
    click.echo("".join(lines), nl=False)
    if complaint:
        raise click.ClickException(complaint)
    if then:
        click.echo(then)
    if is_left:
        sys.exit(1)
