"""``/minreg/missing``: what was asked for and is not there, for programs.

``minreg missing`` prints the list, and ``minreg download -f -`` reads it.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from minreg.web.request import RegistryRequest
from minreg.web.resource import RegistryResource
from minreg.web.status.formats import send_lines, wants_list
from minreg.web.status.misses import Miss, Misses
from minreg.web.status.wanted import image_of, join_reference, names_registry
from minreg.words import count, printable


class MissingResource(RegistryResource):
    """What was missed: as JSON, or as a list of images.

    Args:
        misses: The record.
        aliases: Names of this registry, each with the host that is meant by it.
    """

    isLeaf = True

    def __init__(self, misses: Misses, aliases: Mapping[str, str]) -> None:
        super().__init__()
        self._misses = misses
        self._aliases = aliases

    def render_GET(self, request: RegistryRequest) -> int:
        """Send the record, in the format that the query or ``Accept`` names.

        Raises:
            RegistryError: There is no such format.
        """
        if wants_list(request):
            return send_lines(request, self._as_list())
        return request.respond(self._as_json(), b"application/json")

    def _as_json(self) -> bytes:
        document = {
            "missing": [
                {
                    "namespace": miss.wanted.namespace,
                    "repository": miss.wanted.repository,
                    "reference": miss.wanted.reference,
                    "kind": "blob" if miss.wanted.is_blob else "manifest",
                    "image": image_of(miss.wanted, self._aliases),
                    "count": miss.count,
                    "attempts": miss.occasions,
                    "first": format_time(miss.first),
                    "last": format_time(miss.last),
                    "user_agent": miss.user_agent,
                }
                for miss in self._misses.list()
            ],
            "dropped": self._misses.dropped,
        }
        return json.dumps(document, indent=1).encode("ascii") + b"\n"

    def _as_list(self) -> bytes:
        missed = self._misses.list()
        lines = (_as_line(miss, image_of(miss.wanted, self._aliases)) for miss in missed)
        return "".join(lines).encode("utf-8")


def format_time(seconds: float) -> str:
    """Write a time, in seconds since the epoch, as RFC 3339 does, in UTC."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def _as_line(miss: Miss, image: str) -> str:
    """Write an image that can be downloaded, or a comment on what cannot."""
    remark = (
        f"# {count(miss.count, 'time')}, last {format_time(miss.last)}, "
        f"by {printable(miss.user_agent)}"
    )
    if image and not names_registry(miss.wanted) and miss.occasions == 1:
        # Whoever tries names at random says no registry, and does not come back.
        return f"# of no registry that was named, perhaps: {image}  {remark}\n"
    if image:
        return f"{image}  {remark}\n"
    wanted = miss.wanted
    name = join_reference(wanted.repository, wanted.reference)
    what = "blob" if wanted.is_blob else "of an unknown registry"
    return f"# {what}: {wanted.namespace or '-'} {name}  {remark}\n"
