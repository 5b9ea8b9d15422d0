"""Composes images that a mapping names in several fields, as values of charts do.

The forms, with where they are from: ``image: {registry, repository, tag, digest}`` (most charts),
``repository`` + ``image`` + ``version`` or ``tag`` (NVIDIA's gpu-operator), ``hub`` + ``image`` +
``tag`` (Istio), ``image`` + ``tag``, ``baseImage`` + ``version``, ``fooImage`` + ``fooImageTag``.
"""

from collections.abc import Mapping, Sequence
from typing import Self

import attrs

from minreg.k3s.manifests.documents import Value
from minreg.k3s.manifests.image_text import ends_in_image, has_version
from minreg.oci.names import is_host

_REGISTRIES = ("registry", "hub", "imageRegistry")
_REPOSITORIES = ("repository", "repo", "imageRepository")
_NAMES = ("image", "imageName")
_TAGS = ("tag", "imageTag")
_DIGESTS = ("digest", "sha", "imageDigest")
_HASH_LENGTH = 64
_OTHER_SCHEMES = "://"

# The gpu-operator appends the node's operating system to their versions: 550.1-ubuntu22.04.
_OF_SYSTEM = frozenset({"driver", "gdrdrv", "nvidia-fs", "vgpu-manager"})


@attrs.frozen
class Hub:
    """The registry, and perhaps the tag, of all images below a mapping.

    Istio's values have ``hub`` and ``tag``, Piraeus' lists of images ``base`` and ``components``.
    """

    registry: str
    tag: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, Value], above: Self | None) -> Self | None:
        """Return the hub that a mapping states, itself or in ``global``, or that of above.

        Args:
            fields: The mapping.
            above: The hub that a mapping above states.
        """
        for source in (fields, fields.get("global")):
            if isinstance(source, dict):
                registry, tag = _first(source, ("hub",)), _first(source, ("tag",))
                if registry and tag and _OTHER_SCHEMES not in registry:
                    return cls(registry.rstrip("/"), tag)
        base = _first(fields, ("base",))
        if "components" in fields and is_host(base.partition("/")[0]):
            return cls(base.rstrip("/"))
        tag = _first(fields, _TAGS)
        if above is not None and not above.tag and tag and _field(fields, _NAMES):
            return attrs.evolve(above, tag=tag)
        return above


@attrs.frozen
class ImageParts:
    """An image that is named in several fields.

    Attributes:
        name: The name, with a tag or a digest if ``is_complete``.
        text: The text of the field that names the repository, which has the line.
        field: The name of that field.
        is_complete: Whether the fields have a tag or a digest.
        is_certain: Whether the fields can hardly mean anything but an image.
    """

    name: str
    text: str
    field: str
    is_complete: bool
    is_certain: bool


def compose_image(key: str, fields: Mapping[str, Value], hub: Hub | None) -> ImageParts | None:
    """Return the image that a mapping names in several fields.

    Args:
        key: The key of the mapping.
        fields: The mapping.
        hub: What a mapping above states for all images.

    Returns:
        None if it names none, or one that is complete in a single field.
    """
    image_field = _field(fields, _NAMES)
    repository_field = _field(fields, _REPOSITORIES)
    if image_field and repository_field:
        return _from_both(fields, repository_field, image_field)
    if image_field:
        return _from_image(fields, image_field, hub)
    if not repository_field and ends_in_image(key):
        repository_field = _field(fields, ("name",))
    if repository_field:
        return _from_repository(key, fields, repository_field)
    return _from_base_image(fields)


def _from_both(fields: Mapping[str, Value], repository: str, image: str) -> ImageParts | None:
    """Compose ``repository``, ``image``, and ``tag`` or ``version``."""
    name = f"{fields[repository].rstrip('/')}/{fields[image]}"
    if has_version(str(fields[image])):
        return _complete(name, fields[image], image)
    version = _version(fields) or _as_version(_first(fields, ("version",)))
    if fields[image] in _OF_SYSTEM and "tag" not in fields:
        return _incomplete(name, fields[image], image)
    return _finish(_with_registry(name, _first(fields, _REGISTRIES)), version, fields, image)


def _from_image(fields: Mapping[str, Value], field: str, hub: Hub | None) -> ImageParts | None:
    """Compose ``image`` with what is beside it, or with the hub above it."""
    image = str(fields[field])
    registry, version = _first(fields, _REGISTRIES), _version(fields)
    has_path = "/" in image
    if has_path and ("hub" in fields or is_host(image.partition("/")[0])):
        registry = ""
    if hub is not None and not has_path:
        registry = registry or hub.registry
        version = version or (f":{hub.tag}" if hub.tag else "")
    if has_version(image):
        return (
            _complete(_with_registry(image, registry), fields[field], field) if registry else None
        )
    if not (registry or version):
        return None
    return _finish(_with_registry(image, registry), version, fields, field)


def _from_repository(key: str, fields: Mapping[str, Value], field: str) -> ImageParts | None:
    """Compose ``repository``, or ``name`` below ``image``, with registry, tag and digest."""
    repository, registry = str(fields[field]), _first(fields, _REGISTRIES)
    if _OTHER_SCHEMES in repository:
        return None
    name, version = _with_registry(repository, registry), _version(fields)
    if not version and ends_in_image(key):
        version = _as_version(_first(fields, ("version",)))
    is_certain = ends_in_image(key) or bool(registry) or is_host(name.partition("/")[0])
    if version:
        return attrs.evolve(_complete(name + version, fields[field], field), is_certain=is_certain)
    if has_version(repository):
        return attrs.evolve(_complete(name, fields[field], field), is_certain=is_certain)
    return _incomplete(name, fields[field], field) if ends_in_image(key) else None


def _from_base_image(fields: Mapping[str, Value]) -> ImageParts | None:
    """Compose ``fooImage`` with ``fooImageTag``, ``fooTag`` or, for ``baseImage``, ``version``."""
    for field, value in fields.items():
        if not (field.endswith("Image") and isinstance(value, str) and "/" in value):
            continue
        tags = [f"{field}Tag", f"{field.removesuffix('Image')}Tag"]
        tag = _first(fields, (*tags, "version") if field == "baseImage" else tags)
        if tag and not has_version(value):
            return _complete(f"{value}:{tag}", value, field)
    return None


def _finish(name: str, version: str, fields: Mapping[str, Value], field: str) -> ImageParts | None:
    if _OTHER_SCHEMES in name:
        return None
    if version:
        return _complete(name + version, fields[field], field)
    return _incomplete(name, fields[field], field)


def _complete(name: str, text: str, field: str) -> ImageParts:
    return ImageParts(name, text, field, is_complete=True, is_certain=True)


def _incomplete(name: str, text: str, field: str) -> ImageParts:
    return ImageParts(name, text, field, is_complete=False, is_certain=True)


def _with_registry(name: str, registry: str) -> str:
    return f"{registry.rstrip('/')}/{name}" if registry else name


def _version(fields: Mapping[str, Value]) -> str:
    """Return ``:tag``, ``@digest``, both or an empty string."""
    tag, digest = _first(fields, _TAGS), _first(fields, _DIGESTS)
    if str(fields.get("useDigest")).lower() == "false":
        digest = ""
    if len(digest) == _HASH_LENGTH:
        digest = f"sha256:{digest}"
    return (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def _as_version(version: str) -> str:
    if not version:
        return ""
    return f"@{version}" if version.startswith("sha256:") else f":{version}"


def _field(fields: Mapping[str, Value], names: Sequence[str]) -> str:
    """Return the first of some fields that has a text; empty if none has."""
    return next((name for name in names if isinstance(fields.get(name), str) and fields[name]), "")


def _first(fields: Mapping[str, Value], names: Sequence[str]) -> str:
    """Return the first of some fields that is given: a text, or a number in JSON."""
    for name in names:
        value = fields.get(name)
        is_scalar = isinstance(value, str | int | float) and not isinstance(value, bool)
        if is_scalar and value != "":
            return str(value)
    return ""
