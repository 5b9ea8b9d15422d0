"""Makes the JSON document of ``minreg doctor``."""

from collections.abc import Mapping, Sequence

from minreg.k3s.doctor.findings import Finding
from minreg.k3s.doctor.image_resolution import Resolution


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
                "fix": finding.fix,
            }
            for finding in findings
        ],
        "images": [_answer_as_json(answer) for answer in answers],
        "not_looked_at": dict(sorted(unread.items())),
    }


def _answer_as_json(answer: Resolution) -> dict[str, object]:
    served = answer.served
    return {
        "image": str(answer.required.image),
        "reason": answer.required.reason,
        "asked_before": list(answer.before),
        "url": answer.request.url if answer.request is not None else None,
        "digest": str(served.digest) if served is not None else None,
        "size": served.size if served is not None else None,
    }
