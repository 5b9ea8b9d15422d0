"""Images that K3s' resources for Helm charts name literally.

What a chart itself brings along is in its archive, which is elsewhere. Sources:
k3s-io/helm-controller pkg/apis/helm.cattle.io/v1/types.go; the values of charts as they are
written: ``image`` is a name, or has parts (registry, repository or name, tag, digest).
"""

from collections.abc import Iterator, Mapping

import attrs

from minreg.node.kubernetes.documents import Text, Value
from minreg.node.kubernetes.found import Found, Place

_IMAGE = "image"
_MOST_STEPS = 10_000


def find_chart_images(resource: Mapping[str, Value], place: Place, found: Found) -> None:
    """Find the images that a HelmChart or a HelmChartConfig names."""
    spec = resource.get("spec")
    if not isinstance(spec, dict):
        return
    job = spec.get("jobImage")
    if isinstance(job, str):
        found.add(job, place)
    for values, where in _all_values(spec, place, found):
        for key, part in _parts(values):
            _find_named(part, where, found)
            _find_in_parts(key, part, where, found)
    chart = spec.get("chart") or spec.get("chartContent")
    if isinstance(chart, str):
        found.note(
            chart,
            place,
            "which images the chart itself brings along is not known: check what 'helm template' "
            "makes of it, too; the image of the job that installs it is that of a release (--k3s)",
        )


def _all_values(
    spec: Mapping[str, Value], place: Place, found: Found
) -> Iterator[tuple[Value, Place]]:
    """Go through the three forms that values have."""
    content = spec.get("valuesContent")
    if isinstance(content, Text):
        yield from found.read(content, place)
    elif isinstance(content, str):
        yield from found.read(content, attrs.evolve(place, file=f"{place.file}, valuesContent"))
    yield spec.get("values"), place
    assignments = spec.get("set")
    if isinstance(assignments, dict):
        if sum(path.count(".") for path in assignments) > _MOST_STEPS:
            found.complain("", place, f"the paths in its set have more than {_MOST_STEPS} steps")
        else:
            yield _nested(assignments), place


def _nested(assignments: Mapping[str, Value]) -> dict[str, Value]:
    """Make ``{"image": {"tag": …}}`` of ``{"image.tag": …}``."""
    values: dict[str, Value] = {}
    for path, value in assignments.items():
        *above, name = path.split(".")
        part = values
        for step in above:
            below = part.setdefault(step, {})
            part = below if isinstance(below, dict) else {}
        part[name] = value
    return values


def _parts(values: Value) -> Iterator[tuple[str, dict[str, Value]]]:
    """Go through all dicts in values, each once, with the key that each has."""
    seen: set[int] = set()
    left: list[tuple[str, Value]] = [("", values)]
    while left:
        key, value = left.pop()
        if not isinstance(value, dict | list) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            yield key, value
            left += reversed(value.items())
        else:
            left += [(key, one) for one in reversed(value)]


def _find_named(part: Mapping[str, Value], place: Place, found: Found) -> None:
    """Find an image that is written as a name."""
    image, tag = part.get(_IMAGE), part.get("tag")
    if not isinstance(image, str) or not image:
        return
    registry = part.get("registry")
    host = f"{registry}/" if _is_given(registry) else ""
    if _is_whole(image):
        found.add(image, place, host + image)
    elif _is_given(tag):
        found.add(image, place, f"{host}{image}:{tag}")
    else:
        found.note(image, place, f"image {image!r} has the tag that the chart gives it")


def _find_in_parts(key: str, part: Mapping[str, Value], place: Place, found: Found) -> None:
    """Find an image that is written in parts."""
    repository = part.get("repository") or (part.get("name") if key == _IMAGE else None)
    registry, tag, digest = (part.get(name) for name in ("registry", "tag", "digest"))
    if not isinstance(repository, str) or "://" in repository:
        return
    if not (_is_given(tag) or _is_given(digest)):
        if _is_whole(repository):
            found.add(repository, place)
        elif key == _IMAGE:
            found.note(repository, place, f"image {repository!r} has the tag of the chart")
        return
    host = f"{registry}/" if _is_given(registry) else ""
    version = (f":{tag}" if _is_given(tag) else "") + (f"@{digest}" if _is_given(digest) else "")
    found.add(repository, place, f"{host}{repository}{version}")


def _is_whole(name: str) -> bool:
    """Tell whether a name has a tag or a digest."""
    return "@" in name or ":" in name.rpartition("/")[2]


def _is_given(value: Value) -> bool:
    """Tell whether a value is there that can be a part of a name; JSON has numbers, too."""
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""
