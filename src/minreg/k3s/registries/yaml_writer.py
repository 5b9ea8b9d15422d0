"""Writes ``registries.yaml``."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

Document = Mapping[str, "Document | Sequence[str] | str | bool"]
"""The values that ``registries.yaml`` is made of."""

HEADING = """\
# Registries of K3s: https://docs.k3s.io/installation/private-registry
# K3s reads this file when it starts. To add to it: minreg registries --merge
"""

# Hosts that YAML reads as a text without quotes; anything else is quoted.
_PLAIN = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*")
_RESERVED = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})


def make_mirrors(names: Sequence[str], endpoints: Sequence[str]) -> Document:
    """Make mirrors for some registries, all with the same endpoints.

    Args:
        names: The hosts of the registries as in image names, or ``*`` for all.
        endpoints: The URLs to ask, in this order.
    """
    return {"mirrors": {name: {"endpoint": list(endpoints)} for name in names}}


def render(document: Document) -> str:
    """Render a whole file."""
    return HEADING + "".join(f"{line}\n" for line in block(document, 0))


def block(value: Document | Sequence[str], indent: int) -> Iterator[str]:
    """Render a mapping or a list in block style, indented by ``indent`` columns."""
    space = " " * indent
    if not isinstance(value, Mapping):
        for item in value:
            yield f"{space}- {flow(item)}"
        return
    for key, part in value.items():
        if isinstance(part, str | bool):
            yield f"{space}{quoted_key(key)}: {flow(part)}"
        else:
            yield f"{space}{quoted_key(key)}:"
            yield from block(part, indent + 2)


def flow(value: object) -> str:
    """Render a value in one line, as JSON, which is also YAML."""
    return json.dumps(value, ensure_ascii=False)


def quoted_key(key: str) -> str:
    """Render a key, in quotes unless every YAML reader takes it for a text without them."""
    is_plain = _PLAIN.fullmatch(key) is not None and key not in _RESERVED
    return key if is_plain else flow(key)
