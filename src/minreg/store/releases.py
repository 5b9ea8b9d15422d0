"""The lists of images of K3s releases that a tree keeps beside its repositories."""

import re
from collections.abc import Sequence

from minreg.interfaces import ContentBroken, ContentNotFound, StoreUnavailable
from minreg.store.enclosure import Enclosure

LARGEST_LIST = 1024 * 1024
"""Bytes. K3s' own lists have less than one thousand; nothing real comes near."""

_DIRECTORY = "k3s"
_SUFFIX = ".txt"
_VERSION = re.compile(r"v[0-9]+\.[0-9]+\.[0-9]+[A-Za-z0-9.+-]{0,64}")


def is_release(text: str) -> bool:
    """Tell whether ``text`` has the form of a release's name, such as ``v1.33.4+k3s1``."""
    return _VERSION.fullmatch(text) is not None


def release_path(version: str) -> str:
    """Name the file, below a tree's root, for the list of a release's images."""
    return f"{_DIRECTORY}/{version}{_SUFFIX}"


def as_tag(version: str) -> str:
    """Write a release's name as tags have it: they cannot have a ``+``."""
    return version.replace("+", "-")


def match_release(kept: Sequence[str], wanted: str) -> str | None:
    """Find the release that is meant: by its name, or by how tags have it."""
    if wanted in kept:
        return wanted
    return next((name for name in kept if as_tag(name) == as_tag(wanted)), None)


def list_releases(files: Enclosure) -> list[str]:
    """Name the releases whose lists are kept, in order; raises as ``Enclosure.scan`` does."""
    try:
        with files.scan(_DIRECTORY) as (_, entries):
            names = [entry.name.removesuffix(_SUFFIX) for entry in entries if _is_list(entry.name)]
    except FileNotFoundError:
        return []
    return sorted(names)


def read_release(files: Enclosure, version: str) -> bytes:
    """Read the list of a release; see ``IRegistryStore.read_release``."""
    if not is_release(version):
        raise ContentNotFound(f"{version[:80]!r} is no release of K3s such as v1.33.4+k3s1")
    try:
        opened = files.open_file(release_path(version))
    except FileNotFoundError:
        raise ContentNotFound(f"no list of the images of K3s {version} is kept here") from None
    try:
        with opened.file as file:
            content: bytes = file.read(LARGEST_LIST + 1)
    except OSError as error:
        raise StoreUnavailable(f"{opened.path}: {error.strerror}") from None
    if len(content) > LARGEST_LIST:
        raise ContentBroken(f"{opened.path} is too long to be a list of images: remove it")
    return content


def _is_list(name: str) -> bool:
    return name.endswith(_SUFFIX) and is_release(name.removesuffix(_SUFFIX))
