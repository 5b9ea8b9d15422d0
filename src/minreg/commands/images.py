"""``minreg images``: lists the images that Kubernetes manifests name.

``minreg preflight`` reads manifests by the same function.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any

import attrs
import click

from minreg.commands.reports import WrongUsage
from minreg.commands.terminal import Style, colorize, echo
from minreg.oci.names import ImageReference
from minreg.preflight.query import RequiredImage


@attrs.frozen
class NamedImages:
    """The images that manifests name, each once, and notes about images that are not known."""

    images: Sequence[RequiredImage] = ()
    notes: Sequence[str] = ()


def read_manifests(paths: Sequence[str]) -> NamedImages:
    """Read manifests. The YAML library is needed only if there are any.

    Args:
        paths: Files, directories, or ``-`` for the standard input.

    Raises:
        WrongUsage: They cannot be read, or are not valid.
    """
    if not paths:
        return NamedImages()
    from minreg.k3s.manifests.image_references import find_in_paths  # noqa: PLC0415 - see above
    from minreg.k3s.manifests.manifest_files import ManifestsInvalid  # noqa: PLC0415

    try:
        result = find_in_paths(paths, sys.stdin.buffer)
    except ManifestsInvalid as error:
        echo_notes(error.notes)
        raise WrongUsage(str(error)) from None
    reasons: dict[ImageReference, str] = {}
    for found in result.images:
        reasons.setdefault(found.image, found.reason)
    images = [
        *(RequiredImage(image, reason) for image, reason in reasons.items()),
        *(RequiredImage(one.image, one.reason, is_likely=True) for one in result.likely),
    ]
    return NamedImages(images, result.notes)


def echo_notes(notes: Sequence[str]) -> None:
    """Print notes to standard error."""
    for note in notes:
        echo(f"{colorize('note:', Style.WARNING)} {note}", err=True)


def run(*, manifests: tuple[str, ...], ignore_likely: bool, as_json: bool) -> None:
    """Print the images.

    Raises:
        WrongUsage: The manifests cannot be read, or are not valid.
    """
    if manifests.count("-") > 1:
        raise click.UsageError("standard input (-) can be used only once")
    result = read_manifests(manifests)
    required = [image for image in result.images if not image.is_likely]
    likely = [image for image in result.images if image.is_likely and not ignore_likely]
    if as_json:
        click.echo(json.dumps(_as_json(required, likely, result.notes), indent=2))
        return
    _print(required)
    if likely:
        click.echo("# likely, because of the form or the field; nodes may not pull these:")
        _print(likely)
    echo_notes(result.notes)
    if not (required or likely):
        echo("no image is named there", err=True)


def _print(images: Sequence[RequiredImage]) -> None:
    for required in images:
        click.echo(f"{required.image}  # {required.reason}")


def _as_json(
    required: Sequence[RequiredImage], likely: Sequence[RequiredImage], notes: Sequence[str]
) -> dict[str, Any]:
    return {
        "images": [
            {
                "image": str(image.image),
                "likely": image.is_likely,
                "reason": image.reason,
            }
            for image in (*required, *likely)
        ],
        "notes": list(notes),
    }
