"""Sorting tags by version, newest first.

Tags that begin with a number, with or without a ``v``, are
compared as versions: ``v1.10.0`` is newer than ``v1.9.2``, and as in Semantic Versioning 2.0.0,
section 11, ``v1.10.0-rc2`` is older than ``v1.10.0``. Other suffixes, such as ``-k3s2`` or
``-alpine``, do not make a version older. All other tags, such as ``latest``, come after the
versions, in alphabetical order.
"""

import re
from collections.abc import Sequence
from typing import Any

_VERSION = re.compile(r"v?([0-9]+(?:\.[0-9]+)*)(.*)", re.DOTALL)
_NUMBER = re.compile(r"([0-9]+)")
_PRE_RELEASE = re.compile(
    r"[-._+]?(?:(?:alpha|beta|dev|pre|preview|rc|snapshot)(?![a-z])|[ab][0-9])", re.IGNORECASE
)


def sort_tags(tags: Sequence[str]) -> list[str]:
    """Return tags sorted by version, newest first."""
    versions = {tag for tag in tags if _VERSION.fullmatch(tag)}
    others = sorted(tag for tag in tags if tag not in versions)
    return sorted(versions, key=_version_key, reverse=True) + others


def skip_to(tags: Sequence[str], after: str) -> Sequence[str]:
    """Return the tags after a given one.

    Args:
        tags: Sorted tags.
        after: The tag; empty for the beginning. It need not be one of ``tags``.
    """
    if not after:
        return tags
    return tags[sort_tags([*tags, after]).index(after) + (after in tags) :]


def _version_key(tag: str) -> Any:
    """Return the sort key of a tag that is a version."""
    match = _VERSION.fullmatch(tag)
    numbers, suffix = match.groups() if match is not None else ("", tag)
    release = [int(number) for number in numbers.split(".")]
    while release and release[-1] == 0:
        # 1.10 and 1.10.0 are the same release.
        release.pop()
    return release, _PRE_RELEASE.match(suffix) is None, _natural_key(suffix), tag


def _natural_key(text: str) -> list[tuple[int, str]]:
    """Return a sort key by which numbers in a text are compared as numbers."""
    # Split with a group, every second part is a number.
    parts = enumerate(_NUMBER.split(text))
    return [(int(part), "") if index % 2 else (-1, part) for index, part in parts]
