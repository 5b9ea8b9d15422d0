"""What minreg writes into a ``registries.yaml``, and how it is written."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

Document = Mapping[str, "Document | Sequence[str] | str | bool"]
"""What a YAML file or a part of it says, as far as ``registries.yaml`` has need of it."""

HEADING = """\
# What K3s is told about registries: https://docs.k3s.io/installation/private-registry
# It reads this when it starts. To add to it: minreg registries --merge
"""

# A host that YAML takes for a text whatever follows; anything else is quoted.
_PLAIN = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})


def make_mirrors(names: Sequence[str], endpoints: Sequence[str]) -> Document:
    """Have the images of some registries pulled from endpoints, in their order.

    Args:
        names: Hosts of registries as they stand in the names of images, or ``*`` for all.
        endpoints: URLs.
    """
    return {"mirrors": {name: {"endpoint": list(endpoints)} for name in names}}


def render(document: Document) -> str:
    """Write a whole file."""
    return HEADING + "".join(f"{line}\n" for line in block(document, 0))


def block(value: Document | Sequence[str], indent: int) -> Iterator[str]:
    """Write a mapping or a list as lines, each ``indent`` columns in."""
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
    """Write anything in one line; JSON is YAML as well."""
    return json.dumps(value, ensure_ascii=False)


def quoted_key(key: str) -> str:
    """Write a key, in quotes unless it is sure to be understood without them."""
    is_plain = _PLAIN.fullmatch(key) is not None and key not in _WORDS
    return key if is_plain else flow(key)
