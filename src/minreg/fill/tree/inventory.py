"""All images of a tree, in order, and what may hold more of them."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

import attrs

from minreg.fill.tree.contents import TreeContents
from minreg.fill.tree.origins import Origins
from minreg.interfaces import ContentBroken, RepositoryNotFound
from minreg.names import Digest
from minreg.store.held import HeldImage
from minreg.store.images import look_at_image


@attrs.frozen
class Inventory:
    """What a tree holds.

    ``places`` are those of all repositories. ``unread`` is what could not be looked at, one
    line each that says what to do: there may be images in it that are not in ``images``.
    """

    places: tuple[str, ...]
    images: tuple[HeldImage, ...]
    unread: tuple[str, ...]


def take_inventory(contents: TreeContents) -> Inventory:
    """Look at all images of a tree, in the order of their names."""
    walk = contents.walk()
    origins = Origins(contents.root)
    places: list[str] = []
    images: list[HeldImage] = []
    unread: list[str] = []
    for place in walk.iterate_places():
        places.append(place)
        try:
            images += _look_at_images(contents, origins, place)
        except ContentBroken as error:
            unread.append(str(error))
        except FileNotFoundError:
            continue
    return Inventory(tuple(places), tuple(images), (*walk.unread, *unread))


def _look_at_images(contents: TreeContents, origins: Origins, place: str) -> Iterator[HeldImage]:
    yield from _look_at(contents, place, contents.list_tags(place))
    yield from _look_at(contents, place, origins.list_digests(place))


def _look_at(
    contents: TreeContents, place: str, references: Sequence[str | Digest]
) -> Iterator[HeldImage]:
    for reference in references:
        # Who removes a repository meanwhile has no use for what was in it.
        with suppress(RepositoryNotFound):
            yield look_at_image(contents.repository(place), reference)
