"""Makes the JSON document of ``minreg doctor``."""

from collections.abc import Mapping, Sequence

from minreg.k3s.doctor.findings import Finding
from minreg.k3s.doctor.image_resolution import Resolution


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
