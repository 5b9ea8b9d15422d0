"""An archive, read from its beginning to its end."""

from collections.abc import Iterable

from minreg.fill.archives.contents import DOCKER_DOCUMENT, ArchiveContents, Staging
from minreg.fill.archives.docker_archive import list_docker_images
from minreg.fill.archives.members import Member
from minreg.fill.archives.naming import ArchivedImage
from minreg.fill.archives.oci_layout import has_all_layers, is_oci_layout, list_oci_images


def read_contents(members: Iterable[Member], spool: Staging) -> ArchiveContents:
    """Read all members of an archive, and keep them.

    Raises:
        ArchiveInvalid: One of them is not what its name says, or must not be there.
    """
    contents = ArchiveContents(spool)
    for member in members:
        contents.add(member)
    contents.check_links()
    return contents


def list_images(contents: ArchiveContents) -> list[ArchivedImage]:
    """List the images of an archive, with their own digests where it has those.

    Raises:
        ArchiveInvalid: It is no image archive, or one that does not hold together.
    """
    if not is_oci_layout(contents):
        return list_docker_images(contents)
    images = list_oci_images(contents)
    if contents.document(DOCKER_DOCUMENT) is None:
        return images
    whole = all(has_all_layers(contents, image) for image in images)
    return images if images and whole else list_docker_images(contents)
