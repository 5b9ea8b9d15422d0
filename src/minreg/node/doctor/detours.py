"""Images that the tree holds, and that are asked for under other names than it has for them."""

import attrs

from minreg.names import is_host
from minreg.node.doctor.node import Node
from minreg.node.doctor.setup import Setup
from minreg.node.doctor.tree import Served
from minreg.node.doctor.wanted import Answer
from minreg.node.registries.image_names import ImageName

_API = "v2"


@attrs.frozen
class Detour:
    """What leads astray: what the tree has, and where and how to have that asked for."""

    served: Served
    path: str
    line: int
    mend: str


def find_upstream(node: Node, setup: Setup, image: ImageName) -> ImageName:
    """Name an image as it is called where there is a network.

    The registry that stands for another, and what K3s put before a name, are not part of that.
    """
    host, repository = node.registry.aliases.get(image.host), image.repository
    if host is None:
        return image
    registry, _, prefix = setup.settings.setting("system-default-registry").text.partition("/")
    if registry == image.host and prefix:
        repository = repository.removeprefix(f"{prefix.rstrip('/')}/")
    first, slash, rest = repository.partition("/")
    if slash and is_host(first):
        host, repository = first, rest
    return ImageName.parse(str(attrs.evolve(image, host=host, repository=repository)))


def find_detour(node: Node, setup: Setup, answer: Answer) -> Detour | None:
    """Find out what has a missing image asked for elsewhere in the tree than where it is."""
    image, request = answer.wanted.image, answer.request
    if node.tree is None or request is None or answer.served is not None:
        return None
    upstream = find_upstream(node, setup, image)
    served = node.tree.find(upstream.host, upstream.repository, upstream.reference)
    if served is None:
        return None
    host = request.host
    if host.path.strip("/") != _API:
        mend = f"write {host.schemes[0]}://{host.host} for this endpoint, without a path"
        return Detour(served, setup.registries_path, 0, mend)
    if upstream.repository != image.repository:
        return _by_setting(setup, image, served)
    if host.rewrites:
        mend = "remove the rewrite: images are kept under their own names there"
        return Detour(served, setup.registries_path, 0, mend)
    return None


def _by_setting(setup: Setup, image: ImageName, served: Served) -> Detour | None:
    """Name the setting that puts something before an image's name that is none of it."""
    pause = setup.settings.setting("pause-image")
    first, slash, rest = pause.text.partition("/")
    if slash and is_host(first) and first != image.host and str(image).endswith(pause.text):
        return Detour(served, pause.path, pause.line, f"write {rest} for pause-image")
    registry = setup.settings.setting("system-default-registry")
    if registry.text.partition("/")[0] != image.host:
        return None
    mend = f"write {image.host} for system-default-registry, without a path"
    return Detour(served, registry.path, registry.line, mend)
