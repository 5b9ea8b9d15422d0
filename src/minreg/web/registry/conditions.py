"""Whether a client needs the bytes at all: entity tags (RFC 9110, section 13).

A digest is a strong validator by its nature, so it is the entity tag. There are no dates:
a file's time says when it was copied, not when its content came to be.
"""


def entity_tag(digest: str) -> str:
    """Write the strong entity tag of content with this digest."""
    return f'"{digest}"'


def is_not_modified(if_none_match: str | None, tag: str) -> bool:
    """Tell whether the client already has what ``tag`` stands for (section 13.1.2)."""
    if if_none_match is None or not ("*" in if_none_match or tag in if_none_match):
        return False
    offered = [item.strip(" \t") for item in if_none_match.split(",")]
    return "*" in offered or tag in (item.removeprefix("W/") for item in offered)


def is_range_current(if_range: str | None, tag: str) -> bool:
    """Tell whether a range continues what the client has (section 13.1.5).

    Only the same strong entity tag does; a date never can.
    """
    return if_range is None or if_range.strip(" \t") == tag
