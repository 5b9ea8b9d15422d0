"""The images that a node will ask for, and who will answer.

K3s asks for its pause image seconds after power-on, for the images of its release when it starts
what belongs to it, and for those that lists in ``agent/images`` name.
"""

import re
from collections.abc import Iterator, Sequence

import attrs

from minreg.k3s.doctor.files import NodeFile
from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.node import Node
from minreg.k3s.doctor.tree import Served
from minreg.k3s.registries.containerd import ImageName, Request
from minreg.oci.names import DigestInvalid, NameInvalid, is_host, parse_reference
from minreg.preflight.query import without_components

_PAUSE = {"k3s": "rancher/mirrored-pause:3.6"}
"""What is asked for unless something else is set (K3s, ``pkg/cli/cmds/agent.go``)."""

# In containerd's config.toml, version 3 and version 2.
_SANDBOX = re.compile(r"^\s*(?:sandbox|sandbox_image)\s*=\s*[\"']([^\"']+)[\"']", re.MULTILINE)
_PATH = re.compile(r"/v2/(.+)/manifests/([^/]+)")


@attrs.frozen
class RequiredImage:
    """An image that the node will ask for, and why."""

    image: ImageName
    reason: str


@attrs.frozen
class Resolution:
    """What will come of asking for an image.

    ``request`` is the first that this node's registry can answer, and ``served`` what it has
    for it. If both are None, nobody is asked here. ``before`` are the addresses that are asked
    first, and ``others`` whether somebody else but the registry itself is asked at all.
    """

    wanted: RequiredImage
    request: Request | None
    served: Served | None
    before: tuple[str, ...] = ()
    others: bool = False


def find_pause_image(setup: K3sInstallation) -> RequiredImage | None:
    """Work out the pause image; None if nobody can tell before the distribution has run."""
    written = _SANDBOX.search(setup.containerd_config.text) if setup.containerd_config else None
    name = setup.settings.setting("pause-image").text
    if not name and written is not None:
        name = written[1] if setup.is_agent else _without_host(written[1])
    name = name or ("" if setup.is_agent else _PAUSE.get(setup.distribution.name, ""))
    image = _parse(with_default_registry(setup, name)) if name else None
    return RequiredImage(image, "the pause image") if image is not None else None


def read_list(file: NodeFile) -> Iterator[ImageName]:
    """Read a list of images; what is no image's name is passed over, as K3s does."""
    for line in file.text.splitlines():
        image = _parse(line.strip()) if line.strip() else None
        if image is not None:
            yield image


def list_wanted(node: Node, setup: K3sInstallation) -> Sequence[RequiredImage]:
    """List the images that a node will ask for, none twice."""
    found = {str(wanted.image): wanted for wanted in reversed(list(_iterate(node, setup)))}
    return list(reversed(found.values()))


def resolve_images(node: Node, setup: K3sInstallation) -> Sequence[Resolution]:
    """Work out who answers for each image that the node will ask for."""
    containerd = setup.containerd()
    return [
        _find_answer(node, wanted, containerd.requests(wanted.image))
        for wanted in list_wanted(node, setup)
    ]


def with_default_registry(setup: K3sInstallation, name: str) -> str:
    """Put the registry for the system's images before a name, as K3s does."""
    registry = setup.settings.setting("system-default-registry").text
    if not registry or setup.is_agent or name.startswith(registry):
        return name
    return f"{registry}/{name}"


def _iterate(node: Node, setup: K3sInstallation) -> Iterator[RequiredImage]:
    pause = find_pause_image(setup)
    if pause is not None:
        yield pause
    for file in setup.lists:
        for image in read_list(file):
            yield RequiredImage(image, f"it is in {file.path}")
    if node.tree is None or setup.is_agent or setup.distribution.name != "k3s":
        return
    disabled = setup.settings.disabled | setup.skipped
    for own in without_components(node.tree.release_images, disabled):
        name = f"{own.image.repository}:{own.image.tag}"
        parsed = _parse(with_default_registry(setup, name))
        if parsed is not None:
            yield RequiredImage(parsed, f"it belongs to K3s {node.tree.release}")


def _find_answer(node: Node, wanted: RequiredImage, requests: Sequence[Request]) -> Resolution:
    before: list[str] = []
    others = any(
        not request.is_path_known
        or (node.registry.address_for(request.host.host) is None and not request.host.is_default)
        for request in requests
    )
    ours = None
    for request in requests:
        if node.registry.address_for(request.host.host) is None:
            address = f"{request.host.schemes[0]}://{request.host.host}"
            before += [address] if ours is None and address not in before else []
            continue
        ours = ours or request
        served = _look_up(node, request)
        if served is not None:
            return Resolution(wanted, request, served, tuple(before), others)
    return Resolution(wanted, ours, None, tuple(before), others)


def _look_up(node: Node, request: Request) -> Served | None:
    match = _PATH.fullmatch(request.path)
    if match is None or node.tree is None:
        return None
    try:
        reference = parse_reference(match[2])
    except (NameInvalid, DigestInvalid):
        return None
    return node.tree.find(request.namespace, match[1], reference)


def _without_host(name: str) -> str:
    first, slash, rest = name.partition("/")
    return rest if slash and is_host(first) else name


def _parse(name: str) -> ImageName | None:
    try:
        return ImageName.parse(name)
    except (NameInvalid, DigestInvalid):
        return None


_API = "v2"


@attrs.frozen
class NameMismatch:
    """What leads astray: what the tree has, and where and how to have that asked for."""

    served: Served
    path: str
    line: int
    fix: str


def find_upstream(node: Node, setup: K3sInstallation, image: ImageName) -> ImageName:
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


def find_name_mismatch(
    node: Node, setup: K3sInstallation, answer: Resolution
) -> NameMismatch | None:
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
        fix = f"write {host.schemes[0]}://{host.host} for this endpoint, without a path"
        return NameMismatch(served, setup.registries_path, 0, fix)
    if upstream.repository != image.repository:
        return _by_setting(setup, image, served)
    if host.rewrites:
        fix = "remove the rewrite: images are kept under their own names there"
        return NameMismatch(served, setup.registries_path, 0, fix)
    return None


def _by_setting(setup: K3sInstallation, image: ImageName, served: Served) -> NameMismatch | None:
    """Name the setting that puts something before an image's name that is none of it."""
    pause = setup.settings.setting("pause-image")
    first, slash, rest = pause.text.partition("/")
    if slash and is_host(first) and first != image.host and str(image).endswith(pause.text):
        return NameMismatch(served, pause.path, pause.line, f"write {rest} for pause-image")
    registry = setup.settings.setting("system-default-registry")
    if registry.text.partition("/")[0] != image.host:
        return None
    fix = f"write {image.host} for system-default-registry, without a path"
    return NameMismatch(served, registry.path, registry.line, fix)
