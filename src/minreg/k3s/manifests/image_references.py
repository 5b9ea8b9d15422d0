"""Finds the images that Kubernetes manifests refer to, and notes those that are not known."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO

import attrs

from minreg.k3s.manifests.documents import DocumentsInvalid, Text, Value, read_documents
from minreg.k3s.manifests.manifest_files import ManifestsInvalid, read_files
from minreg.oci.names import DigestInvalid, ImageReference, NameInvalid
from minreg.preflight.query import RequiredImage
from minreg.store.tree import as_tag
from minreg.text import printable

_KEYWORDS = ("image", "helm", "\\u", "\\x")
"""One of these is in every document that names an image or a chart. The last two begin escaped
characters, of which a keyword might be written."""

# Template placeholders in image names.
_PLACEHOLDERS = ("{{", "${", "$(", "%{")


@attrs.frozen
class SourceLocation:
    """A file, and the object in it that something belongs to."""

    file: str
    owner: str = ""

    def at(self, text: str) -> str:
        """Return the location of a text with its line, for people."""
        line = f":{text.line}" if isinstance(text, Text) else ""
        owner = f", {self.owner}" if self.owner else ""
        return printable(f"{self.file}{line}{owner}")


@attrs.define
class ManifestImages:
    """The images that manifests refer to.

    ``notes`` say which images are not known, ``errors`` what is wrong, both with their location.
    """

    images: list[RequiredImage] = attrs.field(factory=list)
    notes: list[str] = attrs.field(factory=list)
    errors: list[str] = attrs.field(factory=list)

    def add(self, text: str, location: SourceLocation, name: str = "") -> None:
        """Add an image.

        Args:
            text: The text in the manifest, which has the line.
            location: Where the text is.
            name: The image's name, if it is not the text itself.
        """
        name = name or text
        if not name:
            return
        if any(placeholder in name for placeholder in _PLACEHOLDERS):
            self.add_note(text, location, f"{name!r} has a placeholder: the image is not known")
            return
        try:
            image = ImageReference.parse(name)
        except (NameInvalid, DigestInvalid) as error:
            self.add_error(text, location, f"{name[:160]!r} is not an image name: {error}")
        else:
            self.images.append(RequiredImage(image, location.at(text)))

    def add_error(self, text: str, location: SourceLocation, message: str) -> None:
        """Add an error."""
        self.errors.append(f"{location.at(text)}: {printable(message)}")

    def add_note(self, text: str, location: SourceLocation, message: str) -> None:
        """Add a note on an image that is not known."""
        self.notes.append(f"{location.at(text)}: {printable(message)}")

    def read(self, text: str, location: SourceLocation) -> Iterator[tuple[Value, SourceLocation]]:
        """Read the documents of a file, or of a text value that contains manifests.

        If it is not YAML, an error with its line is added.
        """
        line = text.line + 1 if isinstance(text, Text) else 1
        try:
            for document in read_documents(text, _KEYWORDS, line):
                yield document, location
        except DocumentsInvalid as error:
            self.errors.append(printable(f"{location.file}:{error}"))


def find_plan_images(
    plan: Mapping[str, Value], location: SourceLocation, result: ManifestImages
) -> None:
    """Find the images of the prepare and upgrade steps of a Plan."""
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
            result.add(image, location)
        elif isinstance(version, str):
            result.add(image, location, f"{image}:{as_tag(version)}")
        else:
            result.add_note(
                image, location, f"the tag of {image!r} comes from a channel: it is not known"
            )


def _resolved(status: Value) -> Value:
    return status.get("latestVersion") if isinstance(status, dict) else None


_IMAGE = "image"
_MAX_STEPS = 10_000


@attrs.frozen
class SearchedValues:
    """The ids of values that were already searched, as several charts may share them by aliases.

    An id in ``values`` has whether the key of the value was ``image``. Ids of temporary values
    must not be added: Python reuses them.
    """

    texts: set[int] = attrs.field(factory=set)
    values: set[tuple[bool, int]] = attrs.field(factory=set)
    assignments: set[int] = attrs.field(factory=set)


def find_chart_images(
    resource: Mapping[str, Value],
    location: SourceLocation,
    result: ManifestImages,
    searched: SearchedValues,
) -> None:
    """Find the images that a HelmChart or a HelmChartConfig names."""
    spec = resource.get("spec")
    if not isinstance(spec, dict):
        return
    job = spec.get("jobImage")
    if isinstance(job, str):
        result.add(job, location)
    for values, origin, visited in _all_values(spec, location, result, searched):
        for key, part in _parts(values, visited):
            _find_by_name(part, origin, result)
            _find_by_parts(key, part, origin, result)
    chart = spec.get("chart") or spec.get("chartContent")
    if isinstance(chart, str):
        result.add_note(
            chart,
            location,
            "the images in the chart itself are not known: also check the output of 'helm "
            "template'; the image of the job that installs the chart is part of a release (--k3s)",
        )


def _all_values(
    spec: Mapping[str, Value],
    location: SourceLocation,
    result: ManifestImages,
    searched: SearchedValues,
) -> Iterator[tuple[Value, SourceLocation, set[tuple[bool, int]]]]:
    """Iterate over the three forms of values, each with the ids that were already searched."""
    content = spec.get("valuesContent")
    if isinstance(content, str) and id(content) not in searched.texts:
        searched.texts.add(id(content))
        file = location.file if isinstance(content, Text) else f"{location.file}, valuesContent"
        for values, origin in result.read(content, attrs.evolve(location, file=file)):
            yield values, origin, set()
    yield spec.get("values"), location, searched.values
    assignments = spec.get("set")
    if isinstance(assignments, dict) and id(assignments) not in searched.assignments:
        searched.assignments.add(id(assignments))
        if sum(path.count(".") for path in assignments) > _MAX_STEPS:
            result.add_error(
                "", location, f"the keys in its set have more than {_MAX_STEPS} parts"
            )
        else:
            yield _nested(assignments), location, set()


def _nested(assignments: Mapping[str, Value]) -> dict[str, Value]:
    """Convert ``{"image.tag": …}`` to ``{"image": {"tag": …}}``."""
    values: dict[str, Value] = {}
    for path, value in assignments.items():
        *above, name = path.split(".")
        part = values
        for step in above:
            below = part.setdefault(step, {})
            part = below if isinstance(below, dict) else {}
        part[name] = value
    return values


def _parts(
    values: Value, visited: set[tuple[bool, int]]
) -> Iterator[tuple[str, dict[str, Value]]]:
    """Iterate over all dicts in values that were not visited yet, each with its key."""
    pending: list[tuple[str, Value]] = [("", values)]
    while pending:
        key, value = pending.pop()
        identity = (key == _IMAGE, id(value))
        if not isinstance(value, dict | list) or identity in visited:
            continue
        visited.add(identity)
        if isinstance(value, dict):
            yield key, value
            pending += reversed(value.items())
        else:
            pending += [(key, item) for item in reversed(value)]


def _find_by_name(
    part: Mapping[str, Value], location: SourceLocation, result: ManifestImages
) -> None:
    """Find an image in ``image: name``, perhaps with ``tag`` and ``registry`` beside it."""
    image, tag = part.get(_IMAGE), part.get("tag")
    if not isinstance(image, str) or not image:
        return
    registry = part.get("registry")
    host = f"{registry}/" if _is_given(registry) else ""
    if _is_whole(image):
        result.add(image, location, host + image)
    elif _is_given(tag):
        result.add(image, location, f"{host}{image}:{tag}")
    else:
        result.add_note(
            image, location, f"the tag of image {image!r} is in the chart: it is not known"
        )


def _find_by_parts(
    key: str, part: Mapping[str, Value], location: SourceLocation, result: ManifestImages
) -> None:
    """Find an image in ``repository`` (or ``name``), ``tag``, ``digest`` and ``registry``."""
    repository = part.get("repository") or (part.get("name") if key == _IMAGE else None)
    registry, tag, digest = (part.get(name) for name in ("registry", "tag", "digest"))
    if not isinstance(repository, str) or "://" in repository:
        return
    if not (_is_given(tag) or _is_given(digest)):
        if _is_whole(repository):
            result.add(repository, location)
        elif key == _IMAGE:
            result.add_note(
                repository,
                location,
                f"the tag of image {repository!r} is in the chart: it is not known",
            )
        return
    host = f"{registry}/" if _is_given(registry) else ""
    version = (f":{tag}" if _is_given(tag) else "") + (f"@{digest}" if _is_given(digest) else "")
    result.add(repository, location, f"{host}{repository}{version}")


def _is_whole(name: str) -> bool:
    """Return whether a name has a tag or a digest."""
    return "@" in name or ":" in name.rpartition("/")[2]


def _is_given(value: Value) -> bool:
    """Return whether a value can be a part of a name: a text, or a number in JSON."""
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""


_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_KUBECTL = "SYSTEM_UPGRADE_JOB_KUBECTL_IMAGE"
_STATUS = "status"
_MANIFESTS = (".yaml", ".yml", ".json")


def find_images(files: Iterable[tuple[str, str]]) -> ManifestImages:
    """Find all images that manifests refer to.

    Args:
        files: The names of files, each with its text.
    """
    result = ManifestImages()
    for name, text in files:
        for document, location in result.read(text, SourceLocation(name)):
            _Search(result).run(document, location)
    return result


@attrs.frozen
class _Search:
    """The search of one document. A value with several aliases is searched once."""

    result: ManifestImages
    _visited: set[int] = attrs.field(factory=set)
    _visited_in_pods: set[int] = attrs.field(factory=set)
    _visited_in_data: set[int] = attrs.field(factory=set)
    _visited_in_charts: SearchedValues = attrs.field(factory=SearchedValues)

    def run(self, document: Value, location: SourceLocation, *, is_nested: bool = False) -> None:
        """Find the image references in a document.

        Args:
            document: The document.
            location: Where the document is, for reports.
            is_nested: Whether the document is text from a ConfigMap. ConfigMaps inside it are then
                not searched.
        """
        pending = [(document, location)]
        while pending:
            value, origin = pending.pop()
            if id(value) in self._visited:
                continue
            if isinstance(value, list):
                self._visited.add(id(value))
                pending += [(item, origin) for item in reversed(value)]
            elif isinstance(value, dict):
                self._visited.add(id(value))
                origin = _locate(value, origin)
                if not self._search_special(value, origin, is_nested=is_nested):
                    self._find_in_pod(value, origin)
                    self._note_others(value, origin)
                    pending += [
                        (item, origin) for key, item in reversed(value.items()) if key != _STATUS
                    ]

    def _search_special(
        self, value: dict[str, Value], location: SourceLocation, *, is_nested: bool
    ) -> bool:
        """Search a resource of a kind that does not contain pods; return whether it is one."""
        group = str(value.get("apiVersion", "")).partition("/")[0]
        match group, value.get("kind"):
            case "apiextensions.k8s.io", "CustomResourceDefinition":
                pass
            case "helm.cattle.io", "HelmChart" | "HelmChartConfig":
                find_chart_images(value, location, self.result, self._visited_in_charts)
            case "upgrade.cattle.io", "Plan":
                find_plan_images(value, location, self.result)
            case "v1", "ConfigMap":
                if not is_nested:
                    self._find_in_data(value.get("data"), location)
            case _:
                return False
        return True

    def _find_in_pod(self, pod: Mapping[str, Value], location: SourceLocation) -> None:
        for containers in map(pod.get, _CONTAINERS):
            for container in self._new_dicts(containers):
                image = container.get(_IMAGE)
                if isinstance(image, str):
                    # So that it is not noted as an image outside of a pod.
                    self._visited.add(id(container))
                    self.result.add(image, location)
        for volume in self._new_dicts(pod.get("volumes")):
            source = volume.get(_IMAGE)
            if isinstance(source, dict) and isinstance(source.get("reference"), str):
                self.result.add(source["reference"], location)

    def _new_dicts(self, value: Value) -> list[dict[str, Value]]:
        """List the dicts in a list of a pod, unless the list was visited in another pod."""
        if not isinstance(value, list) or id(value) in self._visited_in_pods:
            return []
        self._visited_in_pods.add(id(value))
        return [item for item in value if isinstance(item, dict)]

    def _note_others(self, value: Mapping[str, Value], location: SourceLocation) -> None:
        """Note an ``image`` outside of a pod, if its value looks like an image."""
        image = value.get(_IMAGE)
        if isinstance(image, str) and ("/" in image or ":" in image):
            self.result.add_note(
                image,
                location,
                f"{image!r} is not the image of a container here: if nodes pull it, add it with "
                "--file",
            )

    def _find_in_data(self, data: Value, location: SourceLocation) -> None:
        """Search a ConfigMap for manifests, and for the kubectl image of upgrades."""
        if not isinstance(data, dict) or id(data) in self._visited_in_data:
            return
        self._visited_in_data.add(id(data))
        for key, text in data.items():
            if not isinstance(text, str):
                continue
            if key.startswith(_KUBECTL):
                self.result.add(text, location)
            elif key.endswith(_MANIFESTS) and id(text) not in self._visited_in_data:
                self._visited_in_data.add(id(text))
                # A text that is not a manifest is not an error of this one.
                inner = ManifestImages()
                for document, origin in inner.read(text, location):
                    if isinstance(document, dict) and "kind" in document:
                        _Search(self.result).run(document, origin, is_nested=True)


def _locate(value: Mapping[str, Value], location: SourceLocation) -> SourceLocation:
    """Return the location with a dict as the owner, if the dict is a Kubernetes object."""
    kind, metadata = value.get("kind"), value.get("metadata")
    if not isinstance(kind, str) or not isinstance(metadata, dict) or "apiVersion" not in value:
        return location
    names = [metadata.get("namespace"), metadata.get("name") or metadata.get("generateName")]
    name = "/".join(name for name in names if isinstance(name, str))
    return attrs.evolve(location, owner=f"{kind} {name}".strip()) if name else location


def read_manifests(paths: Sequence[str], standard_input: BinaryIO) -> ManifestImages:
    """Find the images that manifests refer to.

    Args:
        paths: Files, directories, or ``-``.
        standard_input: The file to read for ``-``.

    Raises:
        ManifestsInvalid: A file cannot be read, or is not valid; the message has a line for each.
    """
    result = find_images(file for path in paths for file in read_files(path, standard_input))
    if result.errors:
        raise ManifestsInvalid(*result.errors)
    return result
