"""What Kubernetes' manifests say of images: which ones, and what cannot be known of others."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO

import attrs

from minreg.k3s.manifests.documents import DocumentsInvalid, Text, Value, read_documents
from minreg.k3s.manifests.files import ManifestsInvalid, read_files
from minreg.oci.names import DigestInvalid, ImageReference, NameInvalid
from minreg.preflight.query import RequiredImage
from minreg.store.tree import as_tag
from minreg.text import printable

_WORDS = ("image", "helm", "\\u", "\\x")
"""One of these is in every document that names an image, or a chart that may have some; the
last two begin letters that are written as numbers."""

_FILLED_IN_LATER = ("{{", "${", "$(", "%{")


@attrs.frozen
class SourceLocation:
    """Where something is said: in which file, and of which object."""

    file: str
    owner: str = ""

    def at(self, text: str) -> str:
        """Name the place of a text."""
        line = f":{text.line}" if isinstance(text, Text) else ""
        owner = f", {self.owner}" if self.owner else ""
        return printable(f"{self.file}{line}{owner}")


@attrs.define
class Found:
    """Collects images, ``notes`` on what cannot be known, and ``complaints`` on what is wrong.

    All are in words for people.
    """

    images: list[RequiredImage] = attrs.field(factory=list)
    notes: list[str] = attrs.field(factory=list)
    complaints: list[str] = attrs.field(factory=list)

    def add(self, text: str, place: SourceLocation, name: str = "") -> None:
        """Add an image.

        Args:
            text: What the manifest says.
            place: Where it says so.
            name: What it comes to, if that is something else.
        """
        name = name or text
        if not name:
            return
        if any(mark in name for mark in _FILLED_IN_LATER):
            self.note(text, place, f"{name!r} is filled in later, and not known here")
            return
        try:
            image = ImageReference.parse(name)
        except (NameInvalid, DigestInvalid) as error:
            self.print_error(text, place, f"{name[:160]!r} names no image: {error}")
        else:
            self.images.append(RequiredImage(image, place.at(text)))

    def print_error(self, text: str, place: SourceLocation, complaint: str) -> None:
        """Say that something is wrong."""
        self.complaints.append(f"{place.at(text)}: {printable(complaint)}")

    def note(self, text: str, place: SourceLocation, remark: str) -> None:
        """Remark that something cannot be known."""
        self.notes.append(f"{place.at(text)}: {printable(remark)}")

    def read(self, text: str, place: SourceLocation) -> Iterator[tuple[Value, SourceLocation]]:
        """Read the documents of a file, or of a value that holds some.

        What is broken is complained of, with its line.
        """
        line = text.line + 1 if isinstance(text, Text) else 1
        try:
            for document in read_documents(text, _WORDS, line):
                yield document, place
        except DocumentsInvalid as error:
            self.complaints.append(printable(f"{place.file}:{error}"))


def find_plan_images(plan: Mapping[str, Value], place: SourceLocation, found: Found) -> None:
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
    resource: Mapping[str, Value], place: SourceLocation, found: Found, searched: Searched
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
    spec: Mapping[str, Value], place: SourceLocation, found: Found, searched: Searched
) -> Iterator[tuple[Value, SourceLocation, set[tuple[bool, int]]]]:
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
            found.print_error(
                "", place, f"the paths in its set have more than {_MOST_STEPS} steps"
            )
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


def _find_named(part: Mapping[str, Value], place: SourceLocation, found: Found) -> None:
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


def _find_in_parts(
    key: str, part: Mapping[str, Value], place: SourceLocation, found: Found
) -> None:
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


_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_KUBECTL = "SYSTEM_UPGRADE_JOB_KUBECTL_IMAGE"
_STATUS = "status"
_MANIFESTS = (".yaml", ".yml", ".json")


def find_images(files: Iterable[tuple[str, str]]) -> Found:
    """Find all images that manifests name.

    Args:
        files: Names of files, each with its text.
    """
    found = Found()
    for name, text in files:
        for document, place in found.read(text, SourceLocation(name)):
            _Search(found).run(document, place)
    return found


@attrs.frozen
class _Search:
    """The search of one document; no value is looked at twice, however often it is used."""

    found: Found
    _seen: set[int] = attrs.field(factory=set)
    _seen_in_pods: set[int] = attrs.field(factory=set)
    _seen_in_data: set[int] = attrs.field(factory=set)
    _seen_in_charts: Searched = attrs.field(factory=Searched)

    def run(self, document: Value, place: SourceLocation, *, is_nested: bool = False) -> None:
        """Search a document.

        Args:
            document: The document.
            place: Where it lies.
            is_nested: Whether it is a value of another one; in it, no more such are looked for.
        """
        left = [(document, place)]
        while left:
            value, where = left.pop()
            if id(value) in self._seen:
                continue
            if isinstance(value, list):
                self._seen.add(id(value))
                left += [(one, where) for one in reversed(value)]
            elif isinstance(value, dict):
                self._seen.add(id(value))
                where = _place_of(value, where)
                if not self._is_special(value, where, is_nested=is_nested):
                    self._find_in_pod(value, where)
                    self._note_others(value, where)
                    left += [
                        (one, where) for key, one in reversed(value.items()) if key != _STATUS
                    ]

    def _is_special(
        self, value: dict[str, Value], place: SourceLocation, *, is_nested: bool
    ) -> bool:
        """Search a resource whose images are not in the shape of a pod."""
        group = str(value.get("apiVersion", "")).partition("/")[0]
        match group, value.get("kind"):
            case "apiextensions.k8s.io", "CustomResourceDefinition":
                pass
            case "helm.cattle.io", "HelmChart" | "HelmChartConfig":
                find_chart_images(value, place, self.found, self._seen_in_charts)
            case "upgrade.cattle.io", "Plan":
                find_plan_images(value, place, self.found)
            case "v1", "ConfigMap":
                if not is_nested:
                    self._find_in_data(value.get("data"), place)
            case _:
                return False
        return True

    def _find_in_pod(self, pod: Mapping[str, Value], place: SourceLocation) -> None:
        for containers in map(pod.get, _CONTAINERS):
            for container in self._new_dicts(containers):
                image = container.get(_IMAGE)
                if isinstance(image, str):
                    # It is no image of a resource of its own.
                    self._seen.add(id(container))
                    self.found.add(image, place)
        for volume in self._new_dicts(pod.get("volumes")):
            source = volume.get(_IMAGE)
            if isinstance(source, dict) and isinstance(source.get("reference"), str):
                self.found.add(source["reference"], place)

    def _new_dicts(self, value: Value) -> list[dict[str, Value]]:
        """List the dicts in a list of a pod, unless another pod has the very same list."""
        if not isinstance(value, list) or id(value) in self._seen_in_pods:
            return []
        self._seen_in_pods.add(id(value))
        return [one for one in value if isinstance(one, dict)]

    def _note_others(self, value: Mapping[str, Value], place: SourceLocation) -> None:
        """Remark that something else than a pod names an image, if it looks like a name."""
        image = value.get(_IMAGE)
        if isinstance(image, str) and ("/" in image or ":" in image):
            self.found.note(
                image,
                place,
                f"{image!r} is not the image of a container here: "
                "if nodes pull it, name it in a list, too (--file)",
            )

    def _find_in_data(self, data: Value, place: SourceLocation) -> None:
        """Search a ConfigMap for the manifests in it, and for the kubectl of upgrades."""
        if not isinstance(data, dict) or id(data) in self._seen_in_data:
            return
        self._seen_in_data.add(id(data))
        for key, text in data.items():
            if not isinstance(text, str):
                continue
            if key.startswith(_KUBECTL):
                self.found.add(text, place)
            elif key.endswith(_MANIFESTS) and id(text) not in self._seen_in_data:
                self._seen_in_data.add(id(text))
                # What is no manifest is no fault of this one.
                inner = Found()
                for document, where in inner.read(text, place):
                    if isinstance(document, dict) and "kind" in document:
                        _Search(self.found).run(document, where, is_nested=True)


def _place_of(value: Mapping[str, Value], place: SourceLocation) -> SourceLocation:
    """Name the object that a dict is, if it is one; else it belongs to that around it."""
    kind, metadata = value.get("kind"), value.get("metadata")
    if not isinstance(kind, str) or not isinstance(metadata, dict) or "apiVersion" not in value:
        return place
    names = [metadata.get("namespace"), metadata.get("name") or metadata.get("generateName")]
    name = "/".join(name for name in names if isinstance(name, str))
    return attrs.evolve(place, owner=f"{kind} {name}".strip()) if name else place


def read_manifests(paths: Sequence[str], standard_input: BinaryIO) -> Found:
    """Find the images that manifests name.

    Args:
        paths: Files, directories, or ``-``.
        standard_input: What that stands for.

    Raises:
        ManifestsInvalid: Something cannot be read, or is no manifest; the text has a line
            for each.
    """
    found = find_images(file for path in paths for file in read_files(path, standard_input))
    if found.complaints:
        raise ManifestsInvalid(*found.complaints)
    return found
