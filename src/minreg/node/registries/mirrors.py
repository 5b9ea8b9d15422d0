"""Whether a ``registries.yaml`` sends K3s to this registry already.

It is read by its lines, for a reader of YAML is nothing that a node must have. What is written in
a way that few people choose is not recognised; what is recognised is really so.
"""

import re
from collections.abc import Iterator

_COMMENT = re.compile(r"(^|[ \t])#.*$", re.MULTILINE)
_MIRRORS = re.compile(r"^mirrors *:(.*(?:\n(?: .*)?)*)", re.MULTILINE)
_FIRST_INDENT = re.compile(r"\n( +)\S")
_NAME = r"""(["']?)(?:\*|bootstrap-registry\.airgap)\1 *:"""
_IN_BRACES = re.compile(rf"[{{,]\s*{_NAME}\s*{{([^{{}}]*)}}")
_ENDPOINTS = re.compile(r"""endpoint["']?\s*:\s*(\[[^\]]*\]|(?:\s*- +\S+)+)""")
_OURS = re.compile(
    r"""(?:^|[\[,\s"'])http://(?:127\.0\.0\.1|localhost):9080(?:/v2)?/?(?:$|[\],\s"'])"""
)


def names_mirror(text: str) -> bool:
    """Tell whether K3s' own registry, or any, is looked for at this one.

    Args:
        text: The file (K3s documentation, "Private Registry Configuration").
    """
    plain = _COMMENT.sub("", "\n".join(text.splitlines()))
    return any(
        _OURS.search(endpoints)
        for entry in _entries(plain)
        for endpoints in _ENDPOINTS.findall(entry)
    )


def _entries(text: str) -> Iterator[str]:
    """Find what stands behind the names of these registries, below ``mirrors``."""
    for section in _MIRRORS.findall(text):
        if section.lstrip().startswith("{"):
            yield from (entry.group(2) for entry in _IN_BRACES.finditer(section))
        elif (first := _FIRST_INDENT.search(section)) is not None:
            indent = first.group(1)
            deeper = rf"^{indent}{_NAME}(.*(?:\n(?:{indent} +.*)?)*)"
            yield from (entry.group(2) for entry in re.finditer(deeper, section, re.MULTILINE))
