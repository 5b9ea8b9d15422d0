"""Says what an archive is that is no image archive, and what to do with it."""

import posixpath
import shlex
from collections.abc import Collection

_LAYOUT_FILES = ("oci-layout", "manifest.json")

_ARCHIVE_SUFFIXES = (
    ".tar",
    ".tar.gz",
    ".tgz",
    ".tar.zst",
    ".tzst",
    ".tar.bz2",
    ".tbz",
    ".tar.xz",
    ".tar.lz4",
)

_ROOT_ENTRIES = frozenset(
    {
        "bin",
        "boot",
        "dev",
        "etc",
        "home",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "media",
        "mnt",
        "opt",
        "proc",
        "root",
        "run",
        "sbin",
        "srv",
        "sys",
        "tmp",
        "usr",
        "var",
    }
)
"""What is in the root directory of a file system: FHS 3.0, section 3.2, and Linux' own."""

_MIN_ROOT_ENTRIES = 3
_DOCKER_MARK = ".dockerenv"
_IMAGE_ENTRIES = frozenset({"blobs", "index.json", "manifest.json", "oci-layout"})

FILE_SYSTEM = (
    "this is the file system of a container, as 'docker export' and 'crane export' write it, and "
    "no image archive; use 'docker save' or 'crane pull' instead"
)


def describe_unsupported(paths: Collection[str]) -> str:
    """Return what an archive is, and what to do with it.

    Args:
        paths: The normalized paths of the files and links of an archive that has neither an
            ``oci-layout`` nor a ``manifest.json`` at its top.
    """
    if is_file_system(paths):
        return FILE_SYSTEM
    directory = _find_layout(paths)
    if directory is not None:
        return (
            f"the image archive is in its directory {directory!r}; unpack it, and import that "
            f"directory, or pack it again with 'tar -C {shlex.quote(directory)} -cf FILE .'"
        )
    archives = sorted(path for path in paths if path.endswith(_ARCHIVE_SUFFIXES))
    if "Chart.yaml" in map(posixpath.basename, paths):
        return "this is a Helm chart, and no image archive; import the images that it needs"
    if archives:
        return (
            f"this contains other archives, such as {archives[0]!r}, and is no image archive "
            "itself; unpack it, and import these"
        )
    return (
        "this has neither an 'oci-layout' nor a 'manifest.json', so it is no image "
        "archive; give what 'docker save' or 'ctr images export' writes"
    )


def is_file_system(paths: Collection[str], refused: str | None = None) -> bool:
    """Return whether paths are those of the file system of a container, or of its beginning.

    Args:
        paths: The normalized paths of files and links.
        refused: The path of a member that does not belong in an image archive. The first
            members of a file system can be links to absolute paths.
    """
    found = {path.partition("/")[0] for path in paths}
    if found & _IMAGE_ENTRIES:
        return False
    if refused is not None and refused.partition("/")[0] in _ROOT_ENTRIES:
        return True
    return _DOCKER_MARK in found or len(found & _ROOT_ENTRIES) >= _MIN_ROOT_ENTRIES


def _find_layout(paths: Collection[str]) -> str | None:
    """Return the directory with an image archive that is nearest to the top."""
    directories = {
        posixpath.dirname(path) for path in paths if posixpath.basename(path) in _LAYOUT_FILES
    }
    return min(directories - {""}, key=lambda path: (path.count("/"), path), default=None)
