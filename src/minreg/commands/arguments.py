"""Parses arguments and options that several commands have."""

import io
import os
from collections.abc import Sequence
from difflib import get_close_matches

import click

from minreg.commands.reports import WrongUsage
from minreg.oci.names import ImageReference, ReferencesInvalid, parse_references
from minreg.oci.platforms import Platform, parse_platform
from minreg.text import TextInvalid, decode_text, printable

ALL_PLATFORMS = "all"

_SPELLINGS = {
    **dict.fromkeys(("amd64", "x86_64", "x86-64", "x64"), "linux/amd64"),
    **dict.fromkeys(("arm64", "aarch64", "armv8"), "linux/arm64"),
    **dict.fromkeys(("arm", "armv7", "armv7l", "armhf"), "linux/arm/v7"),
    **dict.fromkeys(("armv6", "armv6l", "armel"), "linux/arm/v6"),
    **dict.fromkeys(("386", "i386", "i686", "x86"), "linux/386"),
    **{name: f"linux/{name}" for name in ("ppc64le", "s390x", "riscv64", "loong64")},
}
"""Other spellings of platforms: GOARCH, and ``uname -m``."""

_OTHER_ARCHITECTURES = frozenset(
    {"mips", "mipsle", "mips64", "mips64le", "ppc64", "ppc", "wasm", "sparc64"}
)
_PLATFORMS = tuple(dict.fromkeys(_SPELLINGS.values()))
_ARCHITECTURES = frozenset(name.split("/")[1] for name in _PLATFORMS) | _OTHER_ARCHITECTURES
_SYSTEMS = ("linux", "windows", "darwin", "freebsd")


def parse_platforms(texts: Sequence[str]) -> tuple[Platform, ...]:
    """Parse platforms of images.

    Returns:
        The platforms; empty for all of them, which is what ``all`` means.

    Raises:
        WrongUsage: One is not a platform.
    """
    if ALL_PLATFORMS in texts:
        return ()
    for text in texts:
        near = suggest_platform(text)
        if near:
            raise WrongUsage(f"{text[:80]!r} is not a platform: did you mean {near}?")
    try:
        return tuple(Platform.parse(text) for text in texts)
    except ValueError as error:
        raise WrongUsage(str(error)) from None


def check_platforms(texts: Sequence[str]) -> None:
    """Check platforms of nodes, in any spelling that containerd accepts.

    Raises:
        WrongUsage: One is not a platform.
    """
    for text in texts:
        try:
            parse_platform(text)
        except ValueError as error:
            near = suggest_platform(text)
            raise WrongUsage(f"{error}{f': did you mean {near}?' if near else ''}") from None


def suggest_platform(text: str) -> str:
    """Return the platform that was probably meant.

    Returns:
        An empty string if the text is a valid platform, or does not resemble one.
    """
    name = text.lower()
    system, slash, architecture = name.partition("/")
    if slash and system in _SYSTEMS and architecture.partition("/")[0] in _ARCHITECTURES:
        return "" if name == text else name
    if slash and architecture in _SYSTEMS:
        system, architecture = architecture, system
        name = f"{system}/{architecture}"
    for mark in "/-_:":
        spelled = name.removeprefix(f"linux{mark}")
        if spelled in _SPELLINGS:
            return _SPELLINGS[spelled]
    near = get_close_matches(name, [*_PLATFORMS, *_SPELLINGS], n=1, cutoff=0.75)
    return _SPELLINGS.get(near[0], near[0]) if near else ""


def parse_arguments(texts: Sequence[str]) -> list[ImageReference]:
    """Parse the image references on the command line.

    Raises:
        WrongUsage: One is not an image reference.
    """
    try:
        return parse_references(texts, "IMAGE")
    except ReferencesInvalid as error:
        raise WrongUsage(str(error)) from None


def check_links(paths: Sequence[str]) -> Sequence[str]:
    """Return the directories of ``--allow-links-to``.

    Raises:
        WrongUsage: One is not a directory.
    """
    for path in paths:
        if not os.path.isdir(path):
            raise WrongUsage(
                f"--allow-links-to {path} is not a directory: name the one that the links lead to"
            )
    return paths


def read_list(path: str) -> list[ImageReference]:
    """Read a list of images from a file, or from the standard input (``-``).

    Raises:
        WrongUsage: The list is not UTF-8, or a line is not an image reference; the message says
            which.
    """
    name = "standard input" if path == "-" else path
    with click.open_file(path, "rb") as file:
        content: bytes = file.read()
    try:
        # Other characters that end lines, such as U+2028, may be in comments.
        return parse_references(io.StringIO(decode_text(content), newline=None), name)
    except TextInvalid as error:
        raise WrongUsage(printable(f"{name} is {error}")) from None
    except ReferencesInvalid as error:
        raise WrongUsage(str(error)) from None
