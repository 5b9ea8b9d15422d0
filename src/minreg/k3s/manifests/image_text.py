"""Recognizes image references in text: by the name of a field, and by the form of its value.

Two rules decide. If the field says that it is an image (``kubectlImage``, ``RELATED_IMAGE_DB``,
``--agent-image``), its value is one unless the grammar or the form excludes it. In other fields,
only ``host/path:tag``, ``host/path@digest`` and ``path/name:version`` are images: labels, API
groups, URLs, addresses and files have similar forms, but not these.

Source of the grammar: ``ImageReference.parse``. The lists below were made by comparing the results
with the manifests of some forty projects.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

import attrs

from minreg.oci.names import DigestInvalid, ImageReference, NameInvalid, is_host

_LONGEST = 512
_LONGEST_FIELD = 200
_WORD = re.compile(r"[A-Z]+s?(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_IMAGE_ENDS = ("image", "images")

# Words after "image" in the name of a field whose value is something else than an image.
_OTHER_SUBJECT = re.compile(
    "annotations?|arch|architecture|cache|capacity|checksum|class|command|config|count|digests?|"
    "dir|directory|format|groups?|hash|hosts?|ids?|kind|labels?|limit|list|mirrors?|mode|"
    "namespaces?|org|owner|paths?|platforms?|policies|policy|port|prefix|prefixes|project|pull|"
    "pullsecrets?|quota|registries|registry|repos?|repositories|repository|scan|scanner|scanning|"
    "secrets?|selector|server|service|sha|sha256|size|sources?|spec|stream|suffix|tags?|"
    "threshold|timeout|types?|urls?|user|versions?|volume|webhook"
)

# Hosts that are in labels, API groups, import paths and links, but have no registry.
_NO_REGISTRIES = (
    "kubernetes.io",
    "k8s.io",
    "github.com",
    "githubusercontent.com",
    "golang.org",
    "go.dev",
    "gopkg.in",
    "w3.org",
)
_KUBERNETES_REGISTRIES = ("registry.k8s.io", "gcr.k8s.io")
_MEDIA_TYPES = frozenset({"application", "audio", "font", "image", "text", "video"})
_ALGORITHMS = frozenset({"sha1", "sha256", "sha384", "sha512", "md5"})
_FILE_ENDING = re.compile(
    "c|cc|cfg|conf|crt|css|csv|env|go|gz|html|ini|jar|java|js|json|key|log|lua|md|pem|png|py|sh|"
    "sock|sql|svg|tar|tgz|toml|ts|txt|xml|ya?ml|zip"
)

_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_TOP_LEVEL = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]", re.IGNORECASE)
_CHANNELS = frozenset({"canary", "dev", "edge", "latest", "main", "master", "nightly", "stable"})
_VERSION = re.compile(r"[vV]?[0-9]+(?:\.[0-9]+)+(?:[._+-].*)?|[vV][0-9]+(?:-.*)?|latest")
_DOCKER = ("docker://", "docker-image://")


def names_image(field: str) -> bool:
    """Return whether the name of a field, variable or option says that its value is an image."""
    return _parse_field(field[-_LONGEST_FIELD:]).is_image


def ends_in_image(field: str) -> bool:
    """Return whether the name of a field ends in ``image`` or ``images``."""
    return _parse_field(field[-_LONGEST_FIELD:]).ends_in_image


def _may_lack_tag(field: str) -> bool:
    """Return whether an image in a field is complete without a tag, and means ``latest``.

    That is so for ``image``, for options and for variables. In other fields, such as
    ``controllerImage`` or ``baseImage``, the tag is often in another field.
    """
    is_variable = field.startswith("-") or field == field.upper()
    name = _parse_field(field[-_LONGEST_FIELD:])
    return field == "image" or (is_variable and name.ends_in_image and not name.is_base)


@attrs.frozen
class _FieldName:
    """What the name of a field says."""

    is_image: bool
    ends_in_image: bool
    is_base: bool


@lru_cache(maxsize=4096)
def _parse_field(field: str) -> _FieldName:
    words = [word.lower() for word in _WORD.findall(field)]
    marks = [index for index, word in enumerate(words) if word.endswith(_IMAGE_ENDS)]
    after = words[marks[-1] + 1 :] if marks else []
    is_image = bool(marks) and not any(map(_OTHER_SUBJECT.fullmatch, after))
    return _FieldName(is_image, bool(marks) and not after, "base" in words)


def has_version(name: str) -> bool:
    """Return whether a name has a tag or a digest."""
    return "@" in name or ":" in name.rpartition("/")[2]


def parse_likely(text: str, field: str) -> ImageReference | None:
    """Return the image that a text names, or None if it is probably no image.

    Args:
        text: The text.
        field: The name of its field, variable or option.
    """
    if len(text) > _LONGEST or not ("/" in text or ":" in text):
        return None
    for scheme in _DOCKER:
        text = text.removeprefix(scheme)
    try:
        image = ImageReference.parse(text)
    except (NameInvalid, DigestInvalid):
        return None
    is_named = names_image(field)
    if has_version(text):
        is_image = _is_image(text, image, is_named=is_named)
    else:
        is_image = is_named and _may_lack_tag(field) and _is_untagged(text)
    return image if is_image else None


def _is_image(text: str, image: ImageReference, *, is_named: bool) -> bool:
    """Return whether a text with a tag or a digest has the form of an image."""
    first, slash, _rest = text.partition("/")
    if not slash:
        return is_named and _is_short_name(text, image)
    if is_host(first):
        if not _may_be_registry(first):
            return False
        return is_named or image.digest is not None or _is_tag_of_image(image.tag)
    if first in _MEDIA_TYPES:
        return False
    return is_named or image.digest is not None or _VERSION.fullmatch(image.tag) is not None


def _is_short_name(text: str, image: ImageReference) -> bool:
    """Return whether a text without a slash is an image: neither an address nor a digest."""
    name = text.partition("@")[0].partition(":")[0]
    if name in _ALGORITHMS:
        return False
    if image.digest is not None:
        return True
    return _is_tag_of_image(image.tag) and not (image.tag.isdigit() and is_host(name))


def lacks_tag(text: str, field: str) -> bool:
    """Return whether a text is the name of an image whose tag is not in this field."""
    if not ends_in_image(field) or len(text) > _LONGEST or has_version(text):
        return False
    try:
        ImageReference.parse(text)
    except (NameInvalid, DigestInvalid):
        return False
    return _is_untagged(text)


def _is_untagged(text: str) -> bool:
    """Return whether a text without a tag or digest has the form of an image with a path."""
    first, slash, _rest = text.partition("/")
    if not slash:
        return False
    return _may_be_registry(first) if is_host(first) else first not in _MEDIA_TYPES


def _may_be_registry(host: str) -> bool:
    """Return whether a host may be a registry's, and not only the domain of a label or link."""
    name, _colon, port = host.lower().partition(":")
    if name == "localhost" or _ADDRESS.fullmatch(name):
        return bool(port)
    if name.endswith(_KUBERNETES_REGISTRIES):
        return True
    if any(name == domain or name.endswith(f".{domain}") for domain in _NO_REGISTRIES):
        return name == "k8s.gcr.io"
    if port and "." not in name:
        return True
    last = name.rpartition(".")[2]
    return _TOP_LEVEL.fullmatch(last) is not None and _FILE_ENDING.fullmatch(last) is None


def _is_tag_of_image(tag: str) -> bool:
    return any(map(str.isdigit, tag)) or tag in _CHANNELS


@attrs.frozen
class LikelyImage:
    """An image in a text.

    Attributes:
        image: The image.
        field: The name of the variable or option in the text, or that of the text's own field.
        line: The number of the line in the text, from 0.
    """

    image: ImageReference
    field: str
    line: int


_TOKEN = re.compile(r"[^\s\"'`,;=<>()\[\]{}|&$%\\*?!^~]+")
_PLACEHOLDER_ENDS = frozenset("${%}")
_COMMENTS = ("#", "//")


def scan_text(text: str, field: str) -> Iterator[LikelyImage]:
    """Yield the images in a text: a value, a list, options of a program, or lines of a file.

    Lines that are comments are skipped, as are names that are filled in later.

    Args:
        text: The text.
        field: The name of its field.
    """
    for number, line in enumerate(text.split("\n")):
        if ("/" in line or ":" in line) and not line.lstrip().startswith(_COMMENTS):
            for image, name in _scan_line(line, field):
                yield LikelyImage(image, name, number)


def _scan_line(line: str, field: str) -> Iterator[tuple[ImageReference, str]]:
    """Yield the images of a line, each with the name of its variable or option."""
    previous, end = "", 0
    for match in _TOKEN.finditer(line):
        between, start = line[end : match.start()], match.start()
        name = _field_before(previous, between) or field
        token = match[0]
        previous, end = token, match.end()
        if line[start - 1 : start] in _PLACEHOLDER_ENDS and start:
            continue
        if line[end : end + 1] in _PLACEHOLDER_ENDS and end < len(line):
            continue
        if "://" in token and not token.startswith(_DOCKER):
            continue
        image = parse_likely(token.rstrip(".:,"), name)
        if image is not None:
            yield image, name


def _field_before(previous: str, between: str) -> str:
    """Return the name of the variable or option that a value belongs to; empty if it has none.

    Args:
        previous: The word before the value.
        between: The characters between them.
    """
    separator = between.strip(" \t\"'")
    if separator in {"=", ":="}:
        return previous.rstrip(":")
    if separator:
        return ""
    if previous.endswith(":"):
        return previous[:-1]
    return previous if previous.startswith("-") and len(previous) > 1 else ""
