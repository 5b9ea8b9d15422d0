"""All images of a tree, in order."""

import os
from collections.abc import Iterator

from minreg.fill.contents import TreeContents
from minreg.fill.origins import Origins
from minreg.fill.places import MANIFESTS
from minreg.names import is_tag
from minreg.store.images import HeldImage, look_at_image


def iterate_images(contents: TreeContents) -> Iterator[HeldImage]:
    """Look at all images of a tree, in the order of their names."""
    origins = Origins(contents.root)
    for place in contents.iterate_places():
        for tag in _list_tags(contents.root, place):
            yield look_at_image(contents.repository(place), tag)
        for digest in origins.list_digests(place):
            yield look_at_image(contents.repository(place), digest)


def _list_tags(root: str, place: str) -> list[str]:
    """List the tags, those too that lead nowhere."""
    names = os.listdir(os.path.join(root, place, MANIFESTS))
    return sorted(name for name in names if is_tag(name))
