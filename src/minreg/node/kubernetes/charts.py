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


@attrs.frozen
class Searched:
    """The ids of a document's values that were searched in one of the three forms.

    With that of a part of ``values``, there is whether it is called ``image``.
    However many charts share them, once is enough. Only a document's own values belong
    here: what is made of them has an id that is used again.
    """

    texts: set[int] = attrs.field(factory=set)
    values: set[tuple[bool, int]] = attrs.field(factory=set)
    assignments: set[int] = attrs.field(factory=set)


def find_chart_images(
    resource: Mapping[str, Value], place: Place, found: Found, searched: Searched
) -> None:
    """Find the images that a HelmChart or a HelmChartConfig names."""
    spec = resource.get("spec")
    if not isinstance(spec, dict):
        return
    job = spec.get("jobImage")
    if isinstance(job, str):
        found.add(job, place)
    for values, where, seen in _all_values(spec, place, found, searched):
        for key, part in _parts(values, seen):
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
    spec: Mapping[str, Value], place: Place, found: Found, searched: Searched
) -> Iterator[tuple[Value, Place, set[tuple[bool, int]]]]:
    """Go through the three forms that values have, with the ids that need no search."""
    content = spec.get("valuesContent")
    if isinstance(content, str) and id(content) not in searched.texts:
        searched.texts.add(id(content))
        file = place.file if isinstance(content, Text) else f"{place.file}, valuesContent"
        for values, where in found.read(content, attrs.evolve(place, file=file)):
            yield values, where, set()
    yield spec.get("values"), place, searched.values
    assignments = spec.get("set")
    if isinstance(assignments, dict) and id(assignments) not in searched.assignments:
        searched.assignments.add(id(assignments))
        if sum(path.count(".") for path in assignments) > _MOST_STEPS:
            found.complain("", place, f"the paths in its set have more than {_MOST_STEPS} steps")
        else:
            yield _nested(assignments), place, set()


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


def _parts(values: Value, seen: set[tuple[bool, int]]) -> Iterator[tuple[str, dict[str, Value]]]:
    """Go through all dicts in values that are not seen yet, with the key that each has."""
    left: list[tuple[str, Value]] = [("", values)]
    while left:
        key, value = left.pop()
        known = (key == _IMAGE, id(value))
        if not isinstance(value, dict | list) or known in seen:
            continue
        seen.add(known)
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
