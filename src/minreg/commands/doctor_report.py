"""The output of ``minreg doctor``: a summary, the findings, the images, and what was not checked.

Lines have at most 80 columns, except for longer paths and commands, which are not broken so that
they can be pasted. With ``--json``, it is a JSON document.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

import click

from minreg.commands.terminal import MAX_WIDTH, Style, colorize, wrap
from minreg.k3s.doctor.findings import Finding, Severity
from minreg.k3s.doctor.image_resolution import Resolution
from minreg.k3s.doctor.node_files import CLOSED
from minreg.text import count, format_size, printable

_STYLES = {
    Severity.ERROR: Style.ERROR,
    Severity.WARNING: Style.WARNING,
    Severity.SUGGESTION: Style.SUGGESTION,
}
_MAX_CLOSED = 3
_INDENT = "    "
_ELSEWHERE = "elsewhere"
_MISSING = "missing"
_CELL_WIDTH = max(len(_ELSEWHERE), len("999.9 MB"))

# A fix that begins with a command, and what follows the command.
_COMMAND = re.compile(r"((?:systemctl|minreg|chmod|patch|cd|mkdir) [^,;]+)(?:[,;] +)?(.*)")


def summarize(findings: Sequence[Finding], unread: Mapping[str, str]) -> str:
    """Return the first line: the number of findings of each severity."""
    numbers = Counter(finding.rule.severity for finding in findings)
    worst = next((severity for severity in Severity if numbers[severity]), None)
    parts = [
        count(numbers[severity], severity.value) for severity in Severity if numbers[severity]
    ]
    if worst in (Severity.ERROR, Severity.WARNING):
        return colorize(", ".join(parts), _STYLES[worst], bold=True)
    scope = " in what could be checked" if unread else ""
    verdict = colorize(f"nothing to fix{scope}", Style.SUCCESS, bold=True)
    return "; ".join([verdict, *parts])


def write_findings(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the lines of the findings: rule, file, problem and fix."""
    for finding in findings:
        rule, line = finding.rule, f":{finding.line}" if finding.line else ""
        severity = colorize(f"{rule.severity.value}:", _STYLES[rule.severity], bold=True)
        yield ""
        yield f"{severity} {rule.title} {click.style(f'[{rule.id}]', dim=True)}"
        yield from wrap(f"in {finding.path}{line}", _INDENT)
        yield from wrap(finding.problem, _INDENT)
        yield from _write_fix(finding.fix)


def _write_fix(fix: str) -> Iterator[str]:
    """Yield the lines of a fix. A command is not broken into lines, so that it can be pasted."""
    head = f"{_INDENT}fix: "
    command = _COMMAND.fullmatch(printable(fix))
    if command is None or len(head + fix) <= MAX_WIDTH:
        yield from wrap(fix, _INDENT, first=head)
        return
    yield head + command[1]
    yield from wrap(command[2], _INDENT)


def write_resolutions(resolutions: Sequence[Resolution]) -> Iterator[str]:
    """Yield the lines about the images that the node will pull."""
    if not resolutions:
        return
    yield ""
    yield "images that this node will pull:"
    for resolution in resolutions:
        image = str(resolution.required.image)
        if resolution.served is not None:
            yield _row(format_size(resolution.served.size), Style.SUCCESS, image)
            continue
        if resolution.request is not None:
            yield _row(_MISSING, Style.ERROR, image)
            endpoints = _address(resolution.request.url)
        else:
            yield _row(_ELSEWHERE, Style.WARNING, image)
            endpoints = " and ".join(resolution.before) or "no endpoint"
        yield from wrap(f"requested from {endpoints}", " " * (len(_INDENT) + _CELL_WIDTH + 2))


def _row(cell: str, style: Style, image: str) -> str:
    return f"{_INDENT}{colorize(cell.rjust(_CELL_WIDTH), style)}  {printable(image)}"


def _address(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def write_unread(unread: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines about what could not be checked, with the reasons."""
    closed = sorted(path for path, reason in unread.items() if reason == CLOSED)
    if unread:
        yield ""
    for path, reason in sorted(unread.items()):
        if path not in closed[_MAX_CLOSED:]:
            yield from wrap(f"not checked: {path}: {reason}", _INDENT, first="")
    if len(closed) > _MAX_CLOSED:
        yield f"not checked: {len(closed) - _MAX_CLOSED} more like these: run this as root"


def as_json(
    findings: Sequence[Finding], resolutions: Sequence[Resolution], unread: Mapping[str, str]
) -> dict[str, object]:
    """Return the JSON document.

    Args:
        findings: The findings.
        resolutions: The images that the node will pull.
        unread: What could not be checked, with the reasons.
    """
    return {
        "findings": [
            {
                "rule": finding.rule.id,
                "severity": finding.rule.severity.value,
                "title": finding.rule.title,
                "file": finding.path,
                "line": finding.line or None,
                "problem": finding.problem,
                "fix": finding.fix,
            }
            for finding in findings
        ],
        "images": [_resolution_as_json(resolution) for resolution in resolutions],
        "not_checked": dict(sorted(unread.items())),
    }


def _resolution_as_json(resolution: Resolution) -> dict[str, object]:
    served = resolution.served
    return {
        "image": str(resolution.required.image),
        "reason": resolution.required.reason,
        "asked_before": list(resolution.before),
        "url": resolution.request.url if resolution.request is not None else None,
        "digest": str(served.digest) if served is not None else None,
        "size": served.size if served is not None else None,
    }
