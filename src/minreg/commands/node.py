"""``minreg node``: installs minreg as a service of a K3s node, and removes it."""

import errno
import os
import sys
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
from minreg.k3s.doctor.services import DISTRIBUTIONS, Distribution, find_service
from minreg.node.install import Installation, Step
from minreg.node.k3s_files import K3sFiles, find_k3s_files
from minreg.node.managed_files import UnitLink, read_file
from minreg.node.systemctl import UnitFailed, UnitManager, is_booted, wait_until_ready
from minreg.node.units import (
    ROUTE_UNIT,
    SERVICE,
    InstalledPaths,
    PathUnsuitable,
    check_program,
    check_root,
    check_runs,
    find_distributions,
    make_command_link,
    make_links,
    make_units,
    parse_unit,
)
from minreg.program import installed_file, own_program
from minreg.text import printable

STOP = "systemctl stop 'minreg*'; systemctl daemon-reload"
"""The command that stops minreg after its unit files were removed."""

_START = "next: minreg node install --start"
_INSTALL_K3S = "next: INSTALL_K3S_SKIP_DOWNLOAD=true ./install.sh, which installs and starts K3s"
_MOVE_AWAY = "move away what has this name"
_FIXES = {
    errno.EACCES: "run this as root",
    errno.EPERM: "run this as root",
    errno.EROFS: "mount the file system read-write, or use --destdir for an image",
    errno.EISDIR: _MOVE_AWAY,
    errno.ENOTDIR: _MOVE_AWAY,
    errno.EEXIST: _MOVE_AWAY,
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
    """Write the systemd units, and the files by which K3s or RKE2 pulls from minreg.

    The arguments are the options of ``minreg node install``.

    Raises:
        ClickException: A step failed, or is left to the operator.
        SystemExit: The doctor's exit status is not 0.
    """
    is_image = os.path.abspath(destdir) != "/"
    if start:
        _check_systemd("--start", is_image=is_image, dry_run=dry_run)
    before = _installed_paths(destdir).program
    program, root = _choose_paths(program, root, destdir, is_image=is_image)
    with_route = _needs_route(destdir, is_image=is_image) if route is None else route
    installation = Installation(
        make_units(program, root),
        [*make_links(with_route=with_route), *_command_links(program, before, is_image=is_image)],
        _find_k3s_files(destdir, find_distributions(root, destdir), is_agent=is_agent),
        destdir,
        not dry_run,
    )
    steps = _run_steps(installation.install())
    if start and not dry_run:
        changed = {os.path.basename(step.path) for step in steps if step.is_change}
        _start(changed, program, with_route=with_route)
    elif not is_image and not dry_run:
        click.echo(_START)
    _exit(steps)


def uninstall(*, dry_run: bool, destdir: str, stop: bool) -> None:
    """Remove the files that ``install`` wrote and that were not changed since.

    The arguments are the options of ``minreg node uninstall``.

    Raises:
        ClickException: A file cannot be removed, or was changed, or the units cannot be stopped.
    """
    is_image = os.path.abspath(destdir) != "/"
    if stop:
        _check_systemd("--stop", is_image=is_image, dry_run=dry_run)
    before = _installed_paths(destdir).program
    installation = Installation(
        # The paths in them do not matter: a file is recognized by its first line.
        make_units("/", "/"),
        [
            *make_links(with_route=True),
            *_command_links(before or own_program(), before, is_image=True),
        ],
        _find_k3s_files(destdir, DISTRIBUTIONS, is_agent=None),
        destdir,
        not dry_run,
    )
    is_stopping = stop and not dry_run
    if is_stopping:
        with _reported_unit_failures():
            _run_steps(UnitManager().stop_all())
    steps = _run_steps(installation.uninstall())
    if is_stopping:
        with _reported_unit_failures():
            UnitManager().reload()
    elif not is_image and not dry_run:
        click.echo(f"next: {STOP}")
    _exit(steps)


def _check_systemd(option: str, *, is_image: bool, dry_run: bool) -> None:
    """Check that units can be started and stopped on this machine.

    Raises:
        WrongUsage: ``--destdir`` is an image, in which nothing runs.
        ClickException: This user may not do so, or systemd does not run.
    """
    if is_image:
        raise WrongUsage(f"{option} needs a running node: leave it off with --destdir")
    if dry_run:
        return
    if os.geteuid() != 0:
        raise click.ClickException(f"{option} needs root's rights: run this as root")
    if not is_booted():
        raise click.ClickException(
            f"{option} needs systemd, which does not run on this machine: leave {option} off, "
            "or run this on the node"
        )


def _needs_route(destdir: str, *, is_image: bool) -> bool:
    """Return whether to create a default route: an earlier run did, or there is none."""
    (link,) = (link for link in make_links(with_route=True) if link.target.endswith(ROUTE_UNIT))
    return link.is_current(destdir) or (not is_image and not has_default_route())


def _command_links(program: str, before: str | None, *, is_image: bool) -> Sequence[UnitLink]:
    """Make the link to the ``minreg`` command, if there is such a command."""
    link = make_command_link(program, before)
    if link is None or not (is_image or os.path.exists(link.target)):
        return []
    return [link]


def _find_k3s_files(
    destdir: str, distributions: Sequence[Distribution], *, is_agent: bool | None
) -> list[K3sFiles]:
    if is_agent is None and os.environ.get("K3S_URL"):
        # K3s' install.sh then installs an agent.
        is_agent = True
    files = NodeFiles(destdir)
    return [
        find_k3s_files(files, distribution, is_agent=is_agent) for distribution in distributions
    ]


def _installed_paths(destdir: str) -> InstalledPaths:
    return parse_unit(read_file(destdir, SERVICE) or "")


def _choose_paths(
    program: str | None, root: str | None, destdir: str, *, is_image: bool
) -> tuple[str, str]:
    """Return the program and the root: from the options, an earlier run, or the defaults.

    Raises:
        WrongUsage: One of them cannot be used in the units.
    """
    before = _installed_paths(destdir)
    unchanged = [
        f"--{option} {installed}"
        for option, value, installed in (
            ("program", program, before.program),
            ("root", root, before.root),
        )
        if value is None and installed is not None
    ]
    if unchanged:
        click.echo(f"{' '.join(unchanged)}: as installed before")
    try:
        program = check_program(program or before.program or own_program())
        if not is_image:
            check_runs(program)
        return program, check_root(root or before.root or DEFAULT_ROOT)
    except PathUnsuitable as error:
        raise WrongUsage(str(error)) from None


def _start(changed: set[str], program: str, *, with_route: bool) -> None:
    """Start minreg, wait until it responds, and run the doctor.

    Raises:
        ClickException: A unit does not start.
        SystemExit: The doctor's exit status is not 0.
    """
    failure = ""
    installed = None
    if program == own_program():
        # Not the time of modification: that of a program of its own is the same in all its copies.
        installed = time.time() - os.stat(installed_file()).st_ctime
    steps = UnitManager().start_all(changed, with_route=with_route, installed=installed)
    try:
        for step in steps:
            click.echo(f"{step.path}: {step.action}")
        for address in inspect_registry_service(NodeFiles()).addresses[:1]:
            click.echo(f"{address.url}: {wait_until_ready(address.url, ask, time.sleep)}")
    except UnitFailed as error:
        failure = f"{error}: see its log above; fix that, and run this again"
        click.echo(f"{error}; its log:")
        _print_lines(error.log)
    # The doctor may know why the unit does not start.
    status = _run_doctor()
    if failure:
        raise click.ClickException(failure)
    if status:
        sys.exit(status)
    if not any(find_service(NodeFiles(), distribution) for distribution in DISTRIBUTIONS):
        click.echo(_INSTALL_K3S)


def _run_doctor() -> int:
    """Run ``minreg doctor``, and return its exit status."""
    try:
        doctor.run(root_prefix="/", as_document=False, fix=False)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    return 0


@contextmanager
def _reported_unit_failures() -> Iterator[None]:
    """Report a failure of systemctl in one line, below the log of the unit."""
    try:
        yield
    except UnitFailed as error:
        _print_lines(error.log)
        raise click.ClickException(f"{error}: see above; fix that, and run this again") from None


def _print_lines(lines: Iterable[str]) -> None:
    """Print lines of a file or a log, with control characters other than tabs escaped."""
    for line in lines:
        click.echo("\t".join(map(printable, line.split("\t"))))


def find_fix(error: OSError) -> str:
    """Return what to do about a file that cannot be written or removed."""
    return _FIXES.get(error.errno or 0, "fix that, and run this again")


def _run_steps(steps: Iterable[Step]) -> list[Step]:
    """Run all steps, and then print them.

    They are printed at the end so that a closed pipe does not stop the installation halfway.

    Raises:
        ClickException: A file cannot be read or written; the steps before it are printed.
    """
    done: list[Step] = []
    failure = ""
    try:
        done.extend(steps)
    except OSError as error:
        failure = f"{error.filename}: {error.strerror}: {find_fix(error)}"
    for step in done:
        click.echo(f"{step.path}: {printable(step.action)}")
        _print_lines(step.detail.splitlines())
    if failure:
        raise click.ClickException(failure)
    return done


def _exit(steps: Sequence[Step]) -> None:
    """Exit with status 1 if the operator has to do something.

    Raises:
        ClickException: That is so.
    """
    left = [step.path for step in steps if step.is_left]
    if left:
        raise click.ClickException(f"not done: {', '.join(left)}: see above")
