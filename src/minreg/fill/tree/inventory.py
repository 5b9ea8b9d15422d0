"""Lists all images of a tree, and what could not be read of it."""

from collections.abc import Iterable, Iterator
from contextlib import suppress

import attrs

from minreg.fill.tree.provenance import Provenance
from minreg.fill.tree.reader import TreeReader
from minreg.oci.names import Digest
from minreg.store.images import StoredImage, inspect_image
from minreg.store.interfaces import ContentInvalid, RepositoryNotFound


@attrs.frozen
class Inventory:
    """The content of a tree.

    ``repositories`` are the paths of all repositories below the root. ``unread`` says of each
    part that could not be read why, and what to do: there may be images in it that are not in
    ``images``.
    """

    repositories: tuple[str, ...]
    images: tuple[StoredImage, ...]
    unread: tuple[str, ...]


def list_images_in_tree(contents: TreeReader) -> Inventory:
    """List all images of a tree, sorted by repository, then tags before digests."""
    provenance = Provenance(contents.root)
    repositories: list[str] = []
    images: list[StoredImage] = []
    unread: list[str] = []
    for repository in contents.iterate_repositories(unread.append):
        repositories.append(repository)
        try:
            images += _inspect_images(contents, repository, contents.list_tags(repository))
            images += _inspect_images(contents, repository, provenance.list_digests(repository))
        except ContentInvalid as error:
            unread.append(str(error))
        except FileNotFoundError:
            # It was removed since the walk yielded it.
            continue
    return Inventory(tuple(repositories), tuple(images), tuple(unread))


def _inspect_images(
    contents: TreeReader, repository: str, references: Iterable[str | Digest]
) -> Iterator[StoredImage]:
    for reference in references:
        # Raised if the repository was removed meanwhile; its images are gone then.
        with suppress(RepositoryNotFound):
            yield inspect_image(contents.repository(repository), reference)
