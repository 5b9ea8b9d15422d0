"""``minreg doctor``: what keeps K3s on this node from its images."""

import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import click

from minreg.commands.doctor_report import (
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
from minreg.k3s.doctor.report import as_json
from minreg.text import printable

_MOST_SECONDS = 120


def run(*, root_prefix: str, as_document: bool, fix: bool) -> None:
    """Look, and exit with the status that tells the outcome."""
    files = NodeFiles(root_prefix)
    with limited_time(_MOST_SECONDS):
        _look(files, as_document=as_document, fix=fix)


def _look(files: NodeFiles, *, as_document: bool, fix: bool) -> None:
    node = inspect_node(files)
    if not node.is_there:
        raise CouldNotLook(
            "there is neither K3s nor RKE2 nor minreg here: name the node's root with "
            "--root-prefix"
        )
    is_looked_at = node.registry.root not in files.unread
    known = [setup for setup in node.setups if setup.is_known and is_looked_at]
    answers = [answer for setup in known for answer in resolve_images(node, setup)]
    for setup in known:
        if setup.is_agent and find_pause_image(setup) is None:
            images = f"the images of this {setup.distribution.title} agent"
            files.unread[images] = "its server says which they are, and it has not run here yet"
    findings = diagnose(node)
    if files.is_live:
        findings = order([*findings, *check_registry(node, answers, ask)])
    difference = make_patch(files, [one for finding in findings for one in finding.changes])
    if as_document:
        document = as_json(findings, answers, files.unread)
        click.echo(
            json.dumps(document | ({"diff": list(difference.lines)} if fix else {}), indent=2)
        )
    elif fix:
        for line in difference.lines:
            echo_diff(line)
        for line in _by_hand(findings, difference):
            echo(printable(line), err=True)
    else:
        for line in _describe(findings, answers, files):
            echo(line)
    _exit(node, findings, files)


@contextmanager
def limited_time(seconds: float) -> Iterator[None]:
    """Give up in the end: disks may hang, and patterns and files be made to take for ever."""

    def give_up(_signal: int, _frame: object) -> NoReturn:
        raise CouldNotLook(f"it takes more than {seconds:g} seconds: is there a disk that hangs?")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _describe(
    findings: Sequence[Finding], answers: Sequence[Resolution], files: NodeFiles
) -> Iterator[str]:
    yield summarize(findings, files.unread)
    yield from write_findings(findings)
    yield from write_resolutions(answers)
    yield from write_unread(files.unread)


def _by_hand(findings: Sequence[Finding], difference: Patch) -> Iterator[str]:
    """Name what the difference does not mend."""
    for finding in findings:
        if not finding.changes or difference.left & set(finding.changes):
            yield f"by hand: {finding.path}: {finding.fix} [{finding.rule.id}]"


def _exit(node: Node, findings: Sequence[Finding], files: NodeFiles) -> None:
    """Exit with what came of it; what could not be looked at counts most."""
    for path in (path for setup in node.setups for path in setup.hidden):
        reason = files.unread[path]
        fix = "run this as root" if reason == CLOSED else "have a plain file read instead"
        raise CouldNotLook(f"{printable(path)} could not be read, as {reason}: {fix}")
    if any(finding.rule.severity is not Severity.SUGGESTION for finding in findings):
        sys.exit(1)
