"""``minreg node``: minreg as a service of a K3s node."""

import errno
import os
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import click

from minreg.commands import doctor
from minreg.commands.reports import WrongUsage
from minreg.defaults import DEFAULT_ROOT
from minreg.k3s.doctor.node_files import NodeFiles
from minreg.k3s.doctor.probe import ask
from minreg.k3s.doctor.procfs import has_default_route
from minreg.k3s.doctor.registry_service import inspect_registry_service
from minreg.k3s.doctor.services import DISTRIBUTIONS, find_service
from minreg.node.install import Installation, Step
from minreg.node.k3s_files import K3sFiles, find_k3s_files
from minreg.node.managed_files import UnitLink, read_file
from minreg.node.systemctl import UnitFailed, UnitManager, is_booted, wait_until_ready
from minreg.node.units import (
    ROUTE_UNIT,
    SERVICE,
    PathUnsuitable,
    check_program,
    check_root,
    check_runs,
    find_distributions,
    make_command_link,
    make_links,
    make_units,
    parse_choice,
)
from minreg.text import printable

_START = "next: minreg node install --start"
STOP = "systemctl stop 'minreg*'; systemctl daemon-reload"
"""What stops all that was installed, once its files are gone."""

_K3S = "next: INSTALL_K3S_SKIP_DOWNLOAD=true ./install.sh, which installs K3s and starts it"
_IN_THE_WAY = "move away what is in its place"
_MENDS = {
    errno.EACCES: "run this as root",
    errno.EPERM: "run this as root",
    errno.EROFS: "mount that file system for writing, or name an image with --destdir",
    errno.EISDIR: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
}


def install(
    *,
    dry_run: bool,
    destdir: str,
    root: str | None,
    program: str | None,
    route: bool | None,
    is_agent: bool | None,
    start: bool,
) -> None:
    """Write the systemd units, and what has K3s or RKE2 pull from minreg.

    What is there already stays; a file that was changed by hand is never overwritten: what
    minreg would have written is shown, and the exit status is 1. With --start that of 'minreg
    doctor' counts as well.
    """
    is_image = os.path.abspath(destdir) != "/"
    if start:
        _check_systemd("--start", is_image=is_image, dry_run=dry_run)
    before = parse_choice(read_file(destdir, SERVICE) or "").program
    program, root = _choose(program, root, destdir, is_image=is_image)
    route = _wants_route(route, destdir, is_image=is_image)
    if is_agent is None and os.environ.get("K3S_URL"):
        is_agent = True
    installation = Installation(
        make_units(program, root),
        [*make_links(with_route=route), *_command_links(program, before, is_image=is_image)],
        _find_k3s(destdir, find_distributions(root, destdir), is_agent=is_agent),
        destdir,
        not dry_run,
    )
    if not dry_run:
        _remember_plugins()
    steps = list(_told(installation.install()))
    if start and not dry_run:
        changed = {os.path.basename(step.path) for step in steps if step.is_change}
        _start(changed, program, with_route=route)
    elif not is_image and not dry_run:
        click.echo(_START)
    _exit(steps)


def uninstall(*, dry_run: bool, destdir: str, stop: bool) -> None:
    """Remove what install has written and nobody has changed. The registry tree stays."""
    is_image = os.path.abspath(destdir) != "/"
    if stop:
        _check_systemd("--stop", is_image=is_image, dry_run=dry_run)
    before = parse_choice(read_file(destdir, SERVICE) or "").program
    # Of the files only their first lines matter now.
    installation = Installation(
        make_units("/", "/"),
        [
            *make_links(with_route=True),
            *_command_links(before or _our_program(), before, is_image=True),
        ],
        _find_k3s(destdir, [one.name for one in DISTRIBUTIONS], is_agent=None),
        destdir,
        not dry_run,
    )
    is_stopping = stop and not dry_run
    if is_stopping:
        with _unit_failures():
            list(_told(UnitManager().stop_all()))
    steps = list(_told(installation.uninstall()))
    if is_stopping:
        with _unit_failures():
            UnitManager().reload()
    elif not is_image and not dry_run:
        click.echo(f"next: {STOP}")
    _exit(steps)


def _check_systemd(option: str, *, is_image: bool, dry_run: bool) -> None:
    """Make sure that units can be started and stopped on this machine.

    Raises:
        WrongUsage: An image is meant, in which nothing runs.
        ClickException: This user may not, or there is no systemd.
    """
    if is_image:
        raise WrongUsage(f"{option} is for a node that runs: leave it off with --destdir")
    if dry_run:
        return
    if os.geteuid() != 0:
        raise click.ClickException(f"{option} needs the rights to start units: run this as root")
    if not is_booted():
        raise click.ClickException(
            f"{option} needs systemd, which does not run this machine: leave {option} off, "
            "or run this on the node"
        )


def _wants_route(route: bool | None, destdir: str, *, is_image: bool) -> bool:  # noqa: FBT001 - an option
    """Work out whether a default route is to be made at boot."""
    if route is not None:
        return route
    (link,) = (one for one in make_links(with_route=True) if one.target.endswith(ROUTE_UNIT))
    return link.is_there(destdir) or (not is_image and not has_default_route())


def _command_links(program: str, before: str | None, *, is_image: bool) -> Sequence[UnitLink]:
    """Make the link by which the command is found, if there is a command to link to."""
    link = make_command_link(program, before)
    if link is None or not (is_image or os.path.exists(link.target)):
        return []
    return [link]


def _find_k3s(destdir: str, names: Sequence[str], *, is_agent: bool | None) -> list[K3sFiles]:
    files = NodeFiles(destdir)
    return [
        find_k3s_files(files, one, is_agent=is_agent) for one in DISTRIBUTIONS if one.name in names
    ]


def _our_program() -> str:
    return os.path.join(sysconfig.get_path("scripts"), "twistd")


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
    try:
        program = check_program(program or before.program or _our_program())
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


def _start(changed: set[str], program: str, *, with_route: bool) -> None:
    """Start minreg, wait until it answers, and have the doctor look at the node.

    Raises:
        ClickException: It does not start.
        SystemExit: The doctor has found something.
    """
    failure = ""
    installed = None
    if program == _our_program():
        installed = time.time() - os.stat(sysconfig.get_path("purelib")).st_mtime
    steps = UnitManager().start_all(changed, with_route=with_route, installed=installed)
    try:
        for step in steps:
            click.echo(f"{step.path}: {step.action}")
        for address in inspect_registry_service(NodeFiles()).addresses[:1]:
            click.echo(f"{address.url}: {wait_until_ready(address.url, ask, time.sleep)}")
    except UnitFailed as error:
        failure = f"{error}: see its log above; mend that, and run this again"
        click.echo(f"{error}; its log:")
        _show_lines(error.log)
    status = _run_doctor()
    if failure:
        raise click.ClickException(failure)
    if status:
        sys.exit(status)
    if not any(find_service(NodeFiles(), one) for one in DISTRIBUTIONS):
        click.echo(_K3S)


def _run_doctor() -> int:
    """Run ``minreg doctor``, and give its exit status."""
    try:
        doctor.run(root_prefix="/", as_document=False, fix=False)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


@contextmanager
def _unit_failures() -> Iterator[None]:
    """Turn what systemd cannot do into one line, below the log that says why."""
    try:
        yield
    except UnitFailed as error:
        _show_lines(error.log)
        raise click.ClickException(f"{error}: see above; mend that, and run this again") from None


def _show_lines(lines: Iterable[str]) -> None:
    """Print lines of a file or of a log below what they belong to; a tab is kept."""
    for line in lines:
        click.echo("\t".join(map(printable, line.split("\t"))))


def find_fix(error: OSError) -> str:
    """Say what to do where a file cannot be written or removed."""
    return _MENDS.get(error.errno or 0, "see to that, and run this again")


def _told(steps: Iterable[Step]) -> Iterator[Step]:
    """Carry out all steps, whoever listens, and then tell of them."""
    done: list[Step] = []
    complaint = ""
    try:
        done.extend(steps)
    except OSError as error:
        complaint = f"{error.filename}: {error.strerror}: {find_fix(error)}"
    for step in done:
        click.echo(f"{step.path}: {printable(step.action)}")
        _show_lines(step.detail.splitlines())
    if complaint:
        raise click.ClickException(complaint)
    yield from done


def _exit(steps: Sequence[Step]) -> None:
    """Exit with 1 where something is left to the operator."""
    left = [step.path for step in steps if step.is_left]
    if left:
        raise click.ClickException(f"left to you: {', '.join(left)}: see above")
