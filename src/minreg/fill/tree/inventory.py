"""All images of a tree, in order, and what may hold more of them."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

import attrs

from minreg.fill.tree.provenance import Provenance
from minreg.fill.tree.reader import TreeReader
from minreg.oci.names import Digest
from minreg.store.images import StoredImage, inspect_image
from minreg.store.interfaces import ContentInvalid, RepositoryNotFound


@attrs.frozen
class Inventory:
    """What a tree holds.

    ``places`` are those of all repositories. ``unread`` is what could not be looked at, one
    line each that says what to do: there may be images in it that are not in ``images``.
    """

    places: tuple[str, ...]
    images: tuple[StoredImage, ...]
    unread: tuple[str, ...]


def list_images_in_tree(contents: TreeReader) -> Inventory:
    """Look at all images of a tree, in the order of their names."""
    walk = contents.walk()
    origins = Provenance(contents.root)
    places: list[str] = []
    images: list[StoredImage] = []
    unread: list[str] = []
    for place in walk.iterate_places():
        places.append(place)
        try:
            images += _look_at_images(contents, origins, place)
        except ContentInvalid as error:
            unread.append(str(error))
        except FileNotFoundError:
            continue
    return Inventory(tuple(places), tuple(images), (*walk.unread, *unread))


def _look_at_images(
    contents: TreeReader, origins: Provenance, place: str
) -> Iterator[StoredImage]:
    yield from _look_at(contents, place, contents.list_tags(place))
    yield from _look_at(contents, place, origins.list_digests(place))


def _look_at(
    contents: TreeReader, place: str, references: Sequence[str | Digest]
) -> Iterator[StoredImage]:
    for reference in references:
        # Who removes a repository meanwhile has no use for what was in it.
        with suppress(RepositoryNotFound):
            yield inspect_image(contents.repository(place), reference)
