"""``minreg doctor``: finds what keeps K3s on this node from pulling its images."""

import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import click

from minreg.commands.doctor_report import (
    as_json,
    summarize,
    write_findings,
    write_resolutions,
    write_unread,
)
from minreg.commands.reports import CouldNotLook
from minreg.commands.terminal import echo, echo_diff
from minreg.k3s.doctor.diagnosis import diagnose, order
from minreg.k3s.doctor.findings import Finding, Severity
from minreg.k3s.doctor.image_resolution import Resolution, find_pause_image, resolve_images
from minreg.k3s.doctor.node_files import CLOSED, NodeFiles
from minreg.k3s.doctor.node_state import Node, inspect_node
from minreg.k3s.doctor.patches import Patch, make_patch
from minreg.k3s.doctor.probe import ask, check_registry
from minreg.text import printable

_TIMEOUT = 120
"""In seconds."""


def run(*, root_prefix: str, as_document: bool, fix: bool) -> None:
    """Check the node, and print the findings.

    Args:
        root_prefix: The directory that stands for the node's root.
        as_document: Whether to print a JSON document.
        fix: Whether to print a diff instead of the findings.

    Raises:
        SystemExit: There are errors or warnings.
        CouldNotLook: There is nothing to check, or it cannot be read.
    """
    files = NodeFiles(root_prefix)
    with limited_time(_TIMEOUT):
        _check(files, as_document=as_document, fix=fix)


def _check(files: NodeFiles, *, as_document: bool, fix: bool) -> None:
    node = inspect_node(files)
    if not node.is_there:
        raise CouldNotLook(
            "neither K3s nor RKE2 nor minreg is installed here: name the root directory of the "
            "node with --root-prefix"
        )
    is_readable = node.registry.root not in files.unread
    setups = [setup for setup in node.setups if setup.is_known and is_readable]
    resolutions = [resolution for setup in setups for resolution in resolve_images(node, setup)]
    for setup in setups:
        if setup.is_agent and find_pause_image(setup) is None:
            images = f"the images of this {setup.distribution.title} agent"
            files.unread[images] = "they are not known before it has run once"
    findings = diagnose(node)
    if files.is_live:
        findings = order([*findings, *check_registry(node, resolutions, ask)])
    patch = make_patch(files, [change for finding in findings for change in finding.changes])
    if as_document:
        document = as_json(findings, resolutions, files.unread)
        click.echo(json.dumps(document | ({"diff": list(patch.lines)} if fix else {}), indent=2))
    elif fix:
        for line in patch.lines:
            echo_diff(line)
        for line in _by_hand(findings, patch):
            echo(printable(line), err=True)
    else:
        for line in _describe(findings, resolutions, files):
            echo(line)
    _exit(node, findings, files)


@contextmanager
def limited_time(seconds: float) -> Iterator[None]:
    """Stop after a time limit: a disk may hang, and a file may be made to take very long.

    Args:
        seconds: The limit.

    Raises:
        CouldNotLook: It was exceeded.
    """

    def stop(_signal: int, _frame: object) -> NoReturn:
        raise CouldNotLook(f"not finished after {seconds:g} seconds: check whether a disk hangs")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _describe(
    findings: Sequence[Finding], resolutions: Sequence[Resolution], files: NodeFiles
) -> Iterator[str]:
    yield summarize(findings, files.unread)
    yield from write_findings(findings)
    yield from write_resolutions(resolutions)
    yield from write_unread(files.unread)


def _by_hand(findings: Sequence[Finding], patch: Patch) -> Iterator[str]:
    """Yield the fixes that the patch does not contain."""
    for finding in findings:
        if not finding.changes or patch.left & set(finding.changes):
            yield f"by hand: {finding.path}: {finding.fix} [{finding.rule.id}]"


def _exit(node: Node, findings: Sequence[Finding], files: NodeFiles) -> None:
    """Exit with the status of the findings.

    Raises:
        SystemExit: There are errors or warnings.
        CouldNotLook: A configuration file cannot be read.
    """
    for path in (path for setup in node.setups for path in setup.hidden):
        reason = files.unread[path]
        fix = "run this as root" if reason == CLOSED else "replace it with a regular file"
        raise CouldNotLook(f"{printable(path)} cannot be read: {reason}: {fix}")
    if any(finding.rule.severity is not Severity.SUGGESTION for finding in findings):
        sys.exit(1)
