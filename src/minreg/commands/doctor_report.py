"""What ``minreg doctor`` prints: the verdict, each finding, the images, what was not looked at.

Everything fits in 80 columns, but for paths and commands that are longer: these stay whole, so
that they can be pasted.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

import click

from minreg.commands.terminal import WIDEST, Look, paint, wrap
from minreg.k3s.doctor.findings import Finding, Severity
from minreg.k3s.doctor.image_resolution import Resolution
from minreg.k3s.doctor.node_files import CLOSED
from minreg.text import count, format_size, printable

_LOOKS = {
    Severity.ERROR: Look.ERROR,
    Severity.WARNING: Look.WARNING,
    Severity.SUGGESTION: Look.SUGGESTION,
}
_MOST_CLOSED = 3
_INDENT = "    "
_ELSEWHERE = "elsewhere"
_NOT_HERE = "not here"
_CELL = max(len(_ELSEWHERE), len("999.9 MB"))

# A command at the beginning of a fix, up to the words behind it.
_COMMAND = re.compile(r"((?:systemctl|minreg|chmod|patch) [^,;]+)(?:[,;] +)?(.*)")


def summarize(findings: Sequence[Finding], unread: Mapping[str, str]) -> str:
    """Write the verdict, which is the first line."""
    numbers = Counter(finding.rule.severity for finding in findings)
    worst = next((severity for severity in Severity if numbers[severity]), None)
    parts = [count(numbers[one], one.value) for one in Severity if numbers[one]]
    if worst in (Severity.ERROR, Severity.WARNING):
        return paint(", ".join(parts), _LOOKS[worst], bold=True)
    seen = " in what could be looked at" if unread else ""
    verdict = paint(f"nothing to fix{seen}", Look.GOOD, bold=True)
    return "; ".join([verdict, *parts])


def write_findings(findings: Sequence[Finding]) -> Iterator[str]:
    """Write findings: which rule, where, what will happen, and the fix."""
    for finding in findings:
        rule, line = finding.rule, f":{finding.line}" if finding.line else ""
        severity = paint(f"{rule.severity.value}:", _LOOKS[rule.severity], bold=True)
        yield ""
        yield f"{severity} {rule.title} {click.style(f'[{rule.id}]', dim=True)}"
        yield from wrap(f"in {finding.path}{line}", _INDENT)
        yield from wrap(finding.problem, _INDENT)
        yield from _write_fix(finding.fix)


def _write_fix(fix: str) -> Iterator[str]:
    """Write what to do; a command is not broken over lines, for it could not be pasted then."""
    head = f"{_INDENT}fix: "
    command = _COMMAND.fullmatch(printable(fix))
    if command is None or len(head + fix) <= WIDEST:
        yield from wrap(fix, _INDENT, first=head)
        return
    yield head + command[1]
    yield from wrap(command[2], _INDENT)


def write_resolutions(answers: Sequence[Resolution]) -> Iterator[str]:
    """Write the images that the node will ask for, and what will come of it."""
    if not answers:
        return
    yield ""
    yield "images that this node will ask for:"
    for answer in answers:
        image = str(answer.required.image)
        if answer.served is not None:
            yield _row(format_size(answer.served.size), Look.GOOD, image)
            continue
        if answer.request is not None:
            yield _row(_NOT_HERE, Look.ERROR, image)
            asked = _address(answer.request.url)
        else:
            yield _row(_ELSEWHERE, Look.WARNING, image)
            asked = " and ".join(answer.before) or "nobody"
        yield from wrap(f"asked for at {asked}", " " * (len(_INDENT) + _CELL + 2))


def _row(cell: str, look: Look, image: str) -> str:
    return f"{_INDENT}{paint(cell.rjust(_CELL), look)}  {printable(image)}"


def _address(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def write_unread(unread: Mapping[str, str]) -> Iterator[str]:
    """Write what could not be looked at."""
    closed = sorted(path for path, reason in unread.items() if reason == CLOSED)
    if unread:
        yield ""
    for path, reason in sorted(unread.items()):
        if path not in closed[_MOST_CLOSED:]:
            yield from wrap(f"not looked at: {path}: {reason}", _INDENT, first="")
    if len(closed) > _MOST_CLOSED:
        yield f"not looked at: {len(closed) - _MOST_CLOSED} more like these: run this as root"
