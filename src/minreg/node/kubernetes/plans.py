"""Images of the system-upgrade-controller's plans.

Source: rancher/system-upgrade-controller pkg/upgrade/container/container.go
(``WithLatestTag``): an image without a tag gets the plan's version, whose ``+`` is written
``-``.
"""

from collections.abc import Mapping

from minreg.node.kubernetes.documents import Value
from minreg.node.kubernetes.found import Found, Place
from minreg.store.releases import as_tag


def find_plan_images(plan: Mapping[str, Value], place: Place, found: Found) -> None:
    """Find the images that a Plan prepares and carries out an upgrade with."""
    spec = plan.get("spec")
    if not isinstance(spec, dict):
        return
    version = spec.get("version") or _resolved(plan.get("status"))
    for step in ("prepare", "upgrade"):
        container = spec.get(step)
        image = container.get("image") if isinstance(container, dict) else None
        if not isinstance(image, str):
            continue
        if "@" in image or ":" in image.rpartition("/")[2]:
            found.add(image, place)
        elif isinstance(version, str):
            found.add(image, place, f"{image}:{as_tag(version)}")
        else:
            found.note(image, place, f"{image!r} gets its tag from a channel: it is not known")


def _resolved(status: Value) -> Value:
    return status.get("latestVersion") if isinstance(status, dict) else None
