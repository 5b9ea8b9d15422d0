"""Finds the images that Kubernetes manifests name.

Every text in every document is looked at. Where Kubernetes, or a resource of a known kind, says
that a text is an image, the image is required. What has the form of an image elsewhere, such as in
options, variables, configuration files and resources of operators, is likely. What brings images
that the manifests do not name is a note.
"""

import os
import re
from collections.abc import Iterable, Sequence
from typing import BinaryIO

import attrs

from minreg.k3s.manifests.document_search import DocumentSearch, SearchContext
from minreg.k3s.manifests.documents import Value
from minreg.k3s.manifests.found_images import FoundImage, ManifestImages, SourceLocation
from minreg.k3s.manifests.image_text import parse_likely
from minreg.k3s.manifests.known_resources import (
    ChartValues,
    describe_chart_directory,
    describe_kustomization,
)
from minreg.k3s.manifests.kustomize import (
    ImageRename,
    apply_renames,
    is_kustomization,
    read_renames,
)
from minreg.k3s.manifests.manifest_files import ManifestFile, ManifestsInvalid, read_files
from minreg.oci.names import ImageReference

# ``# ROOK_CSI_CEPH_IMAGE: "quay.io/cephcsi/cephcsi:v3.15"``: a setting in a comment documents the
# default of a program.
_COMMENTED_SETTING = re.compile(
    r"^[ \t]*#[ \t]*([A-Z][A-Z0-9_]{0,99}_IMAGE[A-Z0-9_]{0,99})[ \t]*[:=][ \t]*[\"']?([^\s\"'#]+)",
    re.MULTILINE,
)


def find_images(files: Iterable[ManifestFile]) -> ManifestImages:
    """Find all images that manifests name."""
    result = ManifestImages()
    renames: list[ImageRename] = []
    for file in files:
        location = SourceLocation(file.name)
        if file.is_chart:
            note = describe_chart_directory(os.path.dirname(file.name))
            result.add_note("", location, note)
        values = ChartValues.OF_OTHERS if file.is_values else ChartValues.NONE
        for document, origin in result.read(file.text, location):
            context = SearchContext(origin, values=values)
            searched = document
            if isinstance(document, dict) and is_kustomization(file.name, document):
                renames += read_renames(file.name, document)
                searched = _search_kustomization(document, location, result)
            DocumentSearch(result).run(searched, context)
        _find_in_comments(file.text, location, result)
    _finish(result, renames)
    return result


def _search_kustomization(
    document: dict[str, Value], location: SourceLocation, result: ManifestImages
) -> Value:
    """Note what a kustomization changes; return it without the names that it changes."""
    note = describe_kustomization(os.path.dirname(location.file), document)
    if note is not None:
        first = next(iter(document))
        result.add_note(first, location, note)
    return {key: value for key, value in document.items() if key != "images"}


def _find_in_comments(text: str, location: SourceLocation, result: ManifestImages) -> None:
    line, end = 1, 0
    for match in _COMMENTED_SETTING.finditer(text):
        line, end = line + text.count("\n", end, match.start()), match.start()
        setting, value = match.groups()
        image = parse_likely(value, setting) if "/" in value else None
        if image is not None:
            owner = f"default of {setting} in a comment"
            result.add_likely(image, "", attrs.evolve(location, line=line, owner=owner), None)


def _finish(result: ManifestImages, renames: Sequence[ImageRename]) -> None:
    """Rename images, add the names that no file has yet, and remove duplicates."""
    result.images = [apply_renames(found, renames) for found in result.images]
    result.likely = [apply_renames(found, renames) for found in result.likely]
    for rename in renames:
        image = rename.complete
        if image is not None:
            result.add_likely(image, rename.text, SourceLocation(rename.file), None)
    required = {found.image for found in result.images}
    unique: dict[ImageReference, FoundImage] = {}
    for found in result.likely:
        if found.image not in required:
            unique.setdefault(found.image, found)
    result.likely = list(unique.values())


def find_in_paths(paths: Sequence[str], standard_input: BinaryIO) -> ManifestImages:
    """Find the images that manifests name.

    Args:
        paths: Files, directories, or ``-``.
        standard_input: The file to read for ``-``.

    Raises:
        ManifestsInvalid: A file cannot be read, or is not valid; the message has a line for each.
    """
    result = find_images(file for path in paths for file in read_files(path, standard_input))
    if result.errors:
        raise ManifestsInvalid(*result.errors, notes=result.notes)
    return result
