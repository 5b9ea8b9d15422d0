"""The images that a node will pull, and which registry will serve each of them.

K3s pulls its pause image seconds after it starts, the images of its release when it deploys its
components, and the images on the lists in ``agent/images``.
"""

import re
from collections.abc import Iterator, Sequence

import attrs

from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.installed_tree import ServedManifest
from minreg.k3s.doctor.node_files import NodeFile
from minreg.k3s.doctor.node_state import Node
from minreg.k3s.registries.certs_d import Embedded
from minreg.k3s.registries.containerd import ImageName, Request
from minreg.oci.names import DigestInvalid, NameInvalid, is_host, parse_reference
from minreg.preflight.query import without_components

_PAUSE = {"k3s": "rancher/mirrored-pause:3.6"}
"""The pause image unless another one is configured (K3s, ``pkg/cli/cmds/agent.go``)."""

# The pause image in containerd's config.toml, version 3 and version 2.
_SANDBOX = re.compile(r"^\s*(?:sandbox|sandbox_image)\s*=\s*[\"']([^\"']+)[\"']", re.MULTILINE)
_PATH = re.compile(r"/v2/(.+)/manifests/([^/]+)")


@attrs.frozen
class NodeImage:
    """An image that the node will pull, and why."""

    image: ImageName
    reason: str


@attrs.frozen
class Resolution:
    """How a pull of an image will be answered.

    ``request`` is the first request to minreg on this node that it can answer, or else the first
    request to it; None if it is not asked at all. ``served`` is the manifest that minreg has for
    the request, None if it has none. ``before`` are the addresses that are asked before minreg.
    ``others`` is true if a mirror other than minreg may have the image. K3s' embedded registry
    counts only if minreg is asked too: it has what some node has already pulled from elsewhere.
    ``in_tree`` is the manifest that the tree has under the upstream name if minreg is not asked.
    """

    required: NodeImage
    request: Request | None
    served: ServedManifest | None
    before: tuple[str, ...] = ()
    others: bool = False
    in_tree: ServedManifest | None = None


def find_pause_image(setup: K3sInstallation) -> NodeImage | None:
    """Return the pause image; None if it is not known before the distribution has run."""
    written = _SANDBOX.search(setup.containerd_config.text) if setup.containerd_config else None
    name = setup.settings.setting("pause-image").text
    if not name and written is not None:
        name = written[1] if setup.is_agent else _without_host(written[1])
    name = name or ("" if setup.is_agent else _PAUSE.get(setup.distribution.name, ""))
    image = _parse(with_default_registry(setup, name)) if name else None
    return NodeImage(image, "the pause image") if image is not None else None


def read_list(file: NodeFile) -> Iterator[ImageName]:
    """Read a list of images; lines that are not image references are ignored, as by K3s."""
    for line in file.text.splitlines():
        image = _parse(line.strip()) if line.strip() else None
        if image is not None:
            yield image


def list_required_images(node: Node, setup: K3sInstallation) -> Sequence[NodeImage]:
    """List the images that a node will pull, each once."""
    images: dict[str, NodeImage] = {}
    for required in _iterate_required(node, setup):
        images.setdefault(str(required.image), required)
    return list(images.values())


def resolve_images(node: Node, setup: K3sInstallation) -> Sequence[Resolution]:
    """Work out which registry will serve each image that the node will pull."""
    containerd = setup.containerd()
    return [
        _resolve(node, setup, required, containerd.requests(required.image))
        for required in list_required_images(node, setup)
    ]


def with_default_registry(setup: K3sInstallation, name: str) -> str:
    """Prefix an image name with the ``system-default-registry``, as K3s does."""
    registry = setup.settings.setting("system-default-registry").text
    if not registry or setup.is_agent or name.startswith(registry):
        return name
    return f"{registry}/{name}"


def _iterate_required(node: Node, setup: K3sInstallation) -> Iterator[NodeImage]:
    pause = find_pause_image(setup)
    if pause is not None:
        yield pause
    for file in setup.lists:
        for image in read_list(file):
            yield NodeImage(image, f"it is in {file.path}")
    if node.tree is None or setup.is_agent or setup.distribution.name != "k3s":
        return
    disabled = setup.settings.disabled | setup.skipped
    for own in without_components(node.tree.release_images, disabled):
        name = f"{own.image.repository}:{own.image.tag}"
        parsed = _parse(with_default_registry(setup, name))
        if parsed is not None:
            yield NodeImage(parsed, f"K3s {node.tree.release} needs it")


def _resolve(
    node: Node, setup: K3sInstallation, required: NodeImage, requests: Sequence[Request]
) -> Resolution:
    before: list[str] = []
    is_asked = any(node.registry.address_for(request.host.host) for request in requests)
    ignored = Embedded().address if setup.has_embedded_registry and not is_asked else None
    others = any(
        not request.is_path_known
        or (
            node.registry.address_for(request.host.host) is None
            and not request.host.is_default
            and request.host.host != ignored
        )
        for request in requests
    )
    first = None
    for request in requests:
        if node.registry.address_for(request.host.host) is None:
            address = f"{request.host.schemes[0]}://{request.host.host}"
            before += [address] if first is None and address not in before else []
            continue
        first = first or request
        served = _look_up(node, request)
        if served is not None:
            return Resolution(required, request, served, tuple(before), others)
    in_tree = None
    if first is None and node.tree is not None and node.registry.is_installed:
        upstream = find_upstream(node, setup, required.image)
        in_tree = node.tree.find(upstream.host, upstream.repository, upstream.reference)
    return Resolution(required, first, None, tuple(before), others, in_tree)


def _look_up(node: Node, request: Request) -> ServedManifest | None:
    """Return the manifest in the node's tree for a request; None if there is none."""
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
    """Parse an image name; None if it is not valid."""
    try:
        return ImageName.parse(name)
    except (NameInvalid, DigestInvalid):
        return None


_API = "v2"


@attrs.frozen
class NameMismatch:
    """An image that the tree has under another name than it is requested by.

    ``path`` and ``line`` are the configuration that changes the name, ``fix`` is what to change.
    """

    served: ServedManifest
    path: str
    line: int
    fix: str


def find_upstream(node: Node, setup: K3sInstallation, image: ImageName) -> ImageName:
    """Return the name of an image at its upstream registry.

    Its host is the one that a registry alias stands for, without ``system-default-registry``.
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
    node: Node, setup: K3sInstallation, resolution: Resolution
) -> NameMismatch | None:
    """Find the configuration that requests a missing image by another name than the tree has."""
    image, request = resolution.required.image, resolution.request
    if node.tree is None or request is None or resolution.served is not None:
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
        return _find_wrong_setting(setup, image, served)
    if host.rewrites:
        fix = "remove the rewrite: the tree has images under their original names"
        return NameMismatch(served, setup.registries_path, 0, fix)
    return None


def _find_wrong_setting(
    setup: K3sInstallation, image: ImageName, served: ServedManifest
) -> NameMismatch | None:
    """Find the setting that adds a wrong prefix to the name of an image."""
    pause = setup.settings.setting("pause-image")
    first, slash, rest = pause.text.partition("/")
    if slash and is_host(first) and first != image.host and str(image).endswith(pause.text):
        return NameMismatch(served, pause.path, pause.line, f"write {rest} for pause-image")
    registry = setup.settings.setting("system-default-registry")
    if registry.text.partition("/")[0] != image.host:
        return None
    fix = f"write {image.host} for system-default-registry, without a path"
    return NameMismatch(served, registry.path, registry.line, fix)
