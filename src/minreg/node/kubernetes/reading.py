"""Manifests, from files to the images that they name."""

from collections.abc import Sequence
from typing import BinaryIO

from minreg.node.kubernetes.files import ManifestsInvalid, read_files
from minreg.node.kubernetes.found import Found
from minreg.node.kubernetes.images import find_images


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
