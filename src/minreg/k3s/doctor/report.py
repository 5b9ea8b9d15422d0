"""Writes down what was found, for people and for programs."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from minreg.k3s.doctor.findings import Finding, Severity
from minreg.k3s.doctor.image_resolution import Resolution
from minreg.k3s.doctor.node_files import CLOSED
from minreg.text import count, format_size

_MOST_CLOSED = 3
_DIGEST_SHOWN = len("sha256:") + 12


def write_findings(findings: Sequence[Finding]) -> Iterator[str]:
    """Write findings: where, which rule, what will happen, and the mend."""
    for finding in findings:
        line = f":{finding.line}" if finding.line else ""
        rule = finding.rule
        yield f"{finding.path}{line}: {rule.severity.value}: {rule.title} [{rule.id}]"
        yield f"    {finding.problem}"
        yield f"    mend: {finding.fix}"


def write_resolutions(answers: Sequence[Resolution]) -> Iterator[str]:
    """Write a table of the images that the node will ask for, and who has them."""
    if not answers:
        return
    yield "images that this node will ask for:"
    rows = [_row(answer) for answer in answers]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"    {'  '.join(cells).rstrip()}"


def write_unread(unread: Mapping[str, str]) -> Iterator[str]:
    """Write what could not be looked at."""
    closed = sorted(path for path, reason in unread.items() if reason == CLOSED)
    for path, reason in sorted(unread.items()):
        if path not in closed[_MOST_CLOSED:]:
            yield f"not looked at: {path}: {reason}"
    if len(closed) > _MOST_CLOSED:
        yield f"not looked at: {len(closed) - _MOST_CLOSED} more like these: run this as root"


def summarize(findings: Sequence[Finding], unread: Mapping[str, str]) -> str:
    """Say in a line what was found."""
    if not findings:
        return "nothing to mend" if not unread else "nothing to mend in what could be looked at"
    numbers = Counter(finding.rule.severity for finding in findings)
    parts = [
        count(numbers[severity], severity.value)
        if severity is not Severity.ADVICE
        else f"{numbers[severity]} to save by"
        for severity in Severity
        if numbers[severity]
    ]
    return ", ".join(parts)


def as_json(
    findings: Sequence[Finding], answers: Sequence[Resolution], unread: Mapping[str, str]
) -> dict[str, object]:
    """Make the document that programs read."""
    return {
        "findings": [
            {
                "rule": finding.rule.id,
                "severity": finding.rule.severity.value,
                "title": finding.rule.title,
                "file": finding.path,
                "line": finding.line or None,
                "problem": finding.problem,
                "mend": finding.fix,
            }
            for finding in findings
        ],
        "images": [_answer_as_json(answer) for answer in answers],
        "not_looked_at": dict(sorted(unread.items())),
    }


def _row(answer: Resolution) -> tuple[str, str, str, str]:
    image = str(answer.wanted.image)
    if answer.request is None:
        return image, f"asked for at {' and '.join(answer.before) or 'nobody'}", "", ""
    if answer.served is None:
        return image, answer.request.url, "not in the tree", ""
    digest = str(answer.served.digest)[:_DIGEST_SHOWN]
    return image, answer.request.url, digest, format_size(answer.served.size)


def _answer_as_json(answer: Resolution) -> dict[str, object]:
    served = answer.served
    return {
        "image": str(answer.wanted.image),
        "reason": answer.wanted.reason,
        "asked_before": list(answer.before),
        "url": answer.request.url if answer.request is not None else None,
        "digest": str(served.digest) if served is not None else None,
        "size": served.size if served is not None else None,
    }
