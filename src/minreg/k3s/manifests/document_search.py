"""Searches one document of a manifest for images: all of its values, and texts nested in them."""

import enum
import re
from collections.abc import Mapping
from typing import Any

import attrs

from minreg.k3s.manifests.documents import DocumentsInvalid, Text, Value, read_documents
from minreg.k3s.manifests.found_images import (
    FieldPath,
    ManifestImages,
    SourceLocation,
    has_placeholder,
)
from minreg.k3s.manifests.image_parts import Hub, compose_image
from minreg.k3s.manifests.image_text import (
    has_version,
    lacks_tag,
    names_image,
    parse_likely,
    scan_text,
)
from minreg.k3s.manifests.known_resources import (
    ChartValues,
    describe_unknown,
    find_kind,
    is_definition,
    is_plan,
)
from minreg.store.tree import as_tag

_CONTAINERS = frozenset({"initContainers", "containers", "ephemeralContainers"})
_KUBECTL = "SYSTEM_UPGRADE_JOB_KUBECTL_IMAGE"
_IMAGE = "image"

# Fields that repeat what is elsewhere, are text for people, or are examples.
_SKIPPED = frozenset(
    {
        "status",
        "managedFields",
        "description",
        "caBundle",
        "binaryData",
        "kubectl.kubernetes.io/last-applied-configuration",
        "alm-examples",
        "alm-examples-metadata",
        "operatorframework.io/initialization-resource",
        "_example",
    }
)

# Fields beside the image of a container. One of them shows that ``image: busybox`` is an image.
_CONTAINER_FIELDS = frozenset(
    [
        "args",
        "command",
        "env",
        "envFrom",
        "imagePullPolicy",
        "pullPolicy",
        "ports",
        "resources",
        "securityContext",
        "volumeMounts",
        "workingDir",
    ]
)

_NAME_PARTS = frozenset({"repository", "registry", "hub", "tag", "version"})

_MAX_NESTING = 4
_NESTED_KEYWORDS = ("image", "repository", "hub", "containers")
_TEMPLATED_IMAGE = re.compile(r"image[\"']?[ \t]*[:=][^\n]{0,200}?(?:\{\{|\$\{)", re.IGNORECASE)

# An image that is a template without quotes. YAML reads ``{{ x }}`` as a mapping.
_UNQUOTED_IMAGE = re.compile(r"image[\"']?[ \t]*:[ \t]*\{\{", re.IGNORECASE)
_MAX_STEPS = 10_000
_VALUES_TEXT = "valuesContent"
_VALUES_FIELDS = frozenset(
    {"values", "valuesObject", _VALUES_TEXT, "valuesInline", "set", "parameters"}
)


class Role(enum.Enum):
    """What the place of a value says about it."""

    OTHER = enum.auto()
    CONTAINERS = enum.auto()
    CONTAINER = enum.auto()
    VOLUMES = enum.auto()
    VOLUME = enum.auto()
    IMAGE_VOLUME = enum.auto()
    IMAGE = enum.auto()
    LIKELY_IMAGE = enum.auto()


_ITEM_ROLES: Mapping[Role, Role] = {Role.CONTAINERS: Role.CONTAINER, Role.VOLUMES: Role.VOLUME}
_FIELD_ROLES: Mapping[tuple[Role, str], Role] = {
    (Role.CONTAINER, _IMAGE): Role.IMAGE,
    (Role.VOLUME, _IMAGE): Role.IMAGE_VOLUME,
    (Role.IMAGE_VOLUME, "reference"): Role.IMAGE,
}


@attrs.frozen
class SearchContext:
    """Where a value stands.

    Attributes:
        location: The file and the object.
        path: The keys and indexes that lead to it in the document.
        field: The name of the field, variable or option whose value it is.
        role: What its place says about it.
        known: The fields in which a resource of this kind names images.
        chart: Whose chart a resource of this kind has values for.
        values: Whose values it belongs to.
        hub: The registry and tag that a mapping above states for all images.
        nesting: The number of texts that it is nested in.
        is_manifest: Whether containers here are those of a manifest.
    """

    location: SourceLocation
    path: FieldPath | None = None
    field: str = ""
    role: Role = Role.OTHER
    known: frozenset[str] = frozenset()
    chart: ChartValues = ChartValues.NONE
    values: ChartValues = ChartValues.NONE
    hub: Hub | None = None
    nesting: int = 0
    is_manifest: bool = True

    def below(self, step: str | int, field: str, role: Role = Role.OTHER) -> "SearchContext":
        """Return the context of a value that is a field or an item of this one."""
        return attrs.evolve(self, path=FieldPath(self.path, step), field=field, role=role)


@attrs.frozen
class DocumentSearch:
    """The search of one document. A value with several aliases is searched once for each role."""

    result: ManifestImages
    _pending: list[tuple[Value, SearchContext]] = attrs.field(factory=list)
    _visited: set[tuple[Any, ...]] = attrs.field(factory=set)
    # Values that the search made itself: the ids of deleted values would be used again.
    _kept: list[Value] = attrs.field(factory=list)

    def run(self, document: Value, context: SearchContext) -> None:
        """Add the images in a document to the result."""
        self._pending.append((document, context))
        while self._pending:
            value, place = self._pending.pop()
            if not isinstance(value, dict | list | str) or self._was_visited(value, place):
                continue
            if isinstance(value, dict):
                self._search_mapping(value, place)
            elif isinstance(value, list):
                self._search_list(value, place)
            else:
                self._search_text(value, place)

    def _was_visited(self, value: Value, place: SearchContext) -> bool:
        """Return whether a value was searched in the same role before."""
        if isinstance(value, str) and not isinstance(value, Text):
            return False
        named = (names_image(place.field), place.field == _IMAGE)
        identity = (id(value), place.role, place.values, named)
        if identity in self._visited:
            return True
        self._visited.add(identity)
        return False

    def _search_list(self, items: list[Value], place: SearchContext) -> None:
        """Search a list. An item after an option, ``--image``, is the value of the option."""
        role = _ITEM_ROLES.get(place.role, Role.OTHER)
        below = []
        field = place.field
        for index, item in enumerate(items):
            below.append((item, place.below(index, field, role)))
            is_option = isinstance(item, str) and item.startswith("-") and "=" not in item
            field = item if is_option else place.field
        self._pending.extend(reversed(below))

    def _search_mapping(self, value: dict[str, Value], place: SearchContext) -> None:
        """Search a mapping: what it says as a whole, and then its fields."""
        if place.role is Role.IMAGE and "" in value:
            message = "'{{…}}' is a placeholder: the image is not known; render the template"
            self.result.add_note("", place.location, message)
            return
        skipped = set(_SKIPPED)
        if isinstance(value.get("kind"), str) and isinstance(value.get("apiVersion"), str):
            place = self._enter_object(value, place)
            if is_definition(value):
                self._search_defaults(value, place)
                return
            skipped |= self._search_plan(value, place)
        hub = Hub.of(value, place.hub)
        if hub is not place.hub:
            place = attrs.evolve(place, hub=hub)
        skipped |= self._search_parts(value, place)
        below = [
            self._enter_field(key, item, value, place)
            for key, item in value.items()
            if key not in skipped
        ]
        self._pending.extend(reversed(below))

    def _enter_object(self, value: dict[str, Value], place: SearchContext) -> SearchContext:
        """Note what is not known of a Kubernetes object, and return its context."""
        kind = find_kind(value)
        location = _locate(value, place.location)
        for text, message in describe_unknown(value):
            self.result.add_note(text, location, message)
        return attrs.evolve(
            place,
            location=location,
            path=place.path if place.nesting else None,
            known=kind.image_fields,
            chart=kind.chart,
            is_manifest=True,
        )

    def _enter_field(
        self, key: str, item: Value, siblings: Mapping[str, Value], place: SearchContext
    ) -> tuple[Value, SearchContext]:
        """Return a field of a mapping as it is searched, and its context."""
        role = _FIELD_ROLES.get((place.role, key), Role.OTHER)
        if isinstance(item, list) and key in _CONTAINERS:
            role = Role.CONTAINERS
        elif isinstance(item, list) and key == "volumes":
            role = Role.VOLUMES
        elif key in place.known or key.startswith(_KUBECTL):
            role = Role.IMAGE
        elif (key, role, place.values) == (_IMAGE, Role.OTHER, ChartValues.NONE):
            role = Role.LIKELY_IMAGE if _is_container(siblings) else role
        below = place.below(key, _name_field(key, siblings, place.field), role)
        if place.chart is not ChartValues.NONE and key in _VALUES_FIELDS:
            below = attrs.evolve(below, values=place.chart)
            item = self._expand_assignments(key, item, below)
        return item, below

    def _expand_assignments(self, key: str, item: Value, place: SearchContext) -> Value:
        """Convert assignments to paths, as those of ``helm --set``, to nested values.

        Returns:
            None if they were converted before. Other values are returned unchanged.
        """
        if key == "parameters" and isinstance(item, list):
            entries = [entry for entry in item if isinstance(entry, dict)]
            assignments = {
                entry["name"]: entry.get("value")
                for entry in entries
                if isinstance(entry.get("name"), str)
            }
        elif key == "set" and isinstance(item, dict):
            assignments = item
        else:
            return item
        identity = ("set", id(item))
        if identity in self._visited:
            return None
        self._visited.add(identity)
        if sum(path.count(".") for path in assignments) > _MAX_STEPS:
            message = f"the keys in its set have more than {_MAX_STEPS} parts"
            self.result.add_error("", place.location, message)
            return None
        values = _nest(assignments)
        self._kept.append(values)
        return values

    def _search_plan(self, plan: dict[str, Value], place: SearchContext) -> set[str]:
        """Search a Plan of the system-upgrade-controller; return the fields that are done."""
        spec = plan.get("spec")
        if not (is_plan(plan) and isinstance(spec, dict)):
            return set()
        version = spec.get("version") or _resolved_version(plan.get("status"))
        others = dict(spec)
        for step in ("prepare", "upgrade"):
            container = spec.get(step)
            if not (isinstance(container, dict) and isinstance(container.get(_IMAGE), str)):
                continue
            image = container[_IMAGE]
            others[step] = {key: item for key, item in container.items() if key != _IMAGE}
            if has_version(image):
                self.result.add(image, place.location)
            elif isinstance(version, str):
                self.result.add(image, place.location, f"{image}:{as_tag(version)}")
            else:
                message = f"the tag of {image!r} comes from a channel: it is not known"
                self.result.add_note(image, place.location, message)
        self._kept.append(others)
        self._pending.append((others, place.below("spec", "spec")))
        return {"spec"}

    def _search_defaults(self, definition: Value, place: SearchContext) -> None:
        """Search the defaults in the schemas of a definition of resources, and nothing else."""
        pending = [(definition, place)]
        visited = set()
        while pending:
            value, origin = pending.pop()
            if id(value) in visited or not isinstance(value, dict | list):
                continue
            visited.add(id(value))
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            for key, item in pairs:
                if key == "default":
                    self._pending.append((item, origin.below("default", origin.field)))
                elif key not in _SKIPPED:
                    pending.append((item, origin.below(key, str(key))))

    def _search_parts(self, value: dict[str, Value], place: SearchContext) -> set[str]:
        """Search for an image in several fields of a mapping; return the fields that are done."""
        if place.role is Role.CONTAINER or not place.known.isdisjoint(value):
            return set()
        parts = compose_image(place.field, value, place.hub)
        if parts is None:
            return set()
        location, path = place.location, FieldPath(place.path, parts.field)
        in_values = place.values is not ChartValues.NONE
        if not parts.is_complete:
            if in_values or "/" in parts.name:
                self._add_unknown_tag(parts.name, parts.text, place)
        elif place.values is ChartValues.OF_K3S:
            self.result.add(parts.text, location, parts.name)
        elif in_values or parts.is_certain:
            self.result.add_likely_name(parts.name, parts.text, location, path)
        return {parts.field}

    def _add_unknown_tag(self, name: str, text: str, place: SearchContext) -> None:
        source = "not in this field" if place.values is ChartValues.NONE else "in the chart"
        message = f"the tag of image {name[:160]!r} is {source}: it is not known"
        self.result.add_note(text, place.location, message)

    def _search_text(self, text: str, place: SearchContext) -> None:
        """Search a text: an image, text that is YAML or JSON, or any other text."""
        if place.role is Role.IMAGE and place.is_manifest:
            self.result.add(text, place.location)
        elif place.role in {Role.IMAGE, Role.LIKELY_IMAGE}:
            self.result.add_likely_name(text, text, place.location, place.path)
        elif place.values is not ChartValues.NONE and place.field == _IMAGE:
            self._search_value(text, place)
        elif not self._search_nested(text, place):
            self._scan(text, place)

    def _search_value(self, text: str, place: SearchContext) -> None:
        """Search the value of ``image`` in the values of a chart."""
        if not text:
            return
        if not (has_version(text) or has_placeholder(text)):
            self._add_unknown_tag(text, text, place)
        elif place.values is ChartValues.OF_K3S:
            self.result.add(text, place.location)
        else:
            self.result.add_likely_name(text, text, place.location, place.path)

    def _search_nested(self, text: str, place: SearchContext) -> bool:
        """Search a text that is YAML or JSON; return whether it is."""
        lines = _lines_of(text, place)
        field = place.field
        if place.values is ChartValues.OF_K3S and field == _VALUES_TEXT:
            documents = [document for document, _ in self.result.read(text, lines)]
            field = ""
        elif place.nesting >= _MAX_NESTING or not _may_be_document(text):
            return False
        else:
            line = text.first_line if isinstance(text, Text) else max(lines.line, 1)
            try:
                documents = list(read_documents(text, line))
            except DocumentsInvalid:
                return False
            if not any(isinstance(document, dict | list) for document in documents):
                return False
        self._kept.extend(documents)
        nested = attrs.evolve(
            place,
            location=lines,
            field=field,
            role=Role.OTHER,
            nesting=place.nesting + 1,
            is_manifest=False,
        )
        for document in reversed(documents):
            if isinstance(document, dict | list):
                self._pending.append((document, nested))
        if _UNQUOTED_IMAGE.search(text):
            self._add_template(text, place)
        return True

    def _scan(self, text: str, place: SearchContext) -> None:
        """Search a text for words that are images."""
        location = place.location
        if has_placeholder(text) and "\n" not in text and names_image(place.field):
            if "/" in text:
                message = f"{text[:160]!r} has a placeholder: the image is not known"
                self.result.add_note(text, location, message)
            return
        if lacks_tag(text, place.field) and parse_likely(text, place.field) is None:
            self._add_unknown_tag(text, text, place)
            return
        first = text.first_line if isinstance(text, Text) else location.line
        for found in scan_text(text, place.field):
            line = first + found.line if first else 0
            at = attrs.evolve(location, line=line)
            self.result.add_likely(found.image, "", at, place.path)
        if "\n" in text and _TEMPLATED_IMAGE.search(text):
            self._add_template(text, place)

    def _add_template(self, text: str, place: SearchContext) -> None:
        message = "this template names images that are filled in later: they are not known"
        self.result.add_note(text, place.location, message)


def _is_container(fields: Mapping[str, Value]) -> bool:
    """Return whether a mapping with an image is like a container, and not like parts of a name."""
    return not _CONTAINER_FIELDS.isdisjoint(fields) and _NAME_PARTS.isdisjoint(fields)


def _lines_of(text: str, place: SearchContext) -> SourceLocation:
    """Return the location of what is nested in a text, with the line where it begins."""
    if isinstance(text, Text):
        return attrs.evolve(place.location, line=text.first_line)
    if place.location.line:
        return place.location
    return attrs.evolve(place.location, file=f"{place.location.file}, {place.field}")


def _may_be_document(text: str) -> bool:
    """Return whether a text may be YAML or JSON that names an image."""
    if "\n" not in text.strip() and not text.lstrip().startswith(("{", "[")):
        return False
    lower = text.lower()
    return ":" in text and any(keyword in lower for keyword in _NESTED_KEYWORDS)


def _name_field(key: str, siblings: Mapping[str, Value], above: str) -> str:
    """Return the name of a field: also that of a variable, and that of the field above it.

    Args:
        key: The key.
        siblings: The mapping that has it.
        above: The name of the field that has the mapping as its value.
    """
    if key == "value":
        for other in ("name", "path") if "op" in siblings else ("name",):
            name = siblings.get(other)
            if isinstance(name, str):
                return name
    if names_image(above) and not names_image(key):
        return f"{above[-100:]}.{key}"
    return key


def _locate(value: Mapping[str, Value], location: SourceLocation) -> SourceLocation:
    """Return the location with a Kubernetes object as the owner, if the object has a name."""
    kind, metadata = value.get("kind"), value.get("metadata")
    if not isinstance(metadata, dict):
        return location
    names = [metadata.get("namespace"), metadata.get("name") or metadata.get("generateName")]
    name = "/".join(name for name in names if isinstance(name, str))
    return attrs.evolve(location, owner=f"{kind} {name}".strip()) if name else location


def _resolved_version(status: Value) -> Value:
    return status.get("latestVersion") if isinstance(status, dict) else None


def _nest(assignments: Mapping[str, Value]) -> dict[str, Value]:
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
