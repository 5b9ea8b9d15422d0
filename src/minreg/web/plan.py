"""What of a registry's status is served."""

from collections.abc import Mapping

import attrs


@attrs.frozen
class StatusPlan:
    """What of the registry's status is served, and where.

    ``aliases`` are names of the registry, each with the host that is meant by it. ``url``
    is where the registry listens, if its status is elsewhere; empty if that is the same.
    """

    aliases: Mapping[str, str]
    url: str = ""
    has_page: bool = True
