"""Rules about the registry tree, and about the images in it that this node needs."""

from collections.abc import Iterator, Sequence

from minreg.defaults import ENDPOINT
from minreg.k3s.doctor.findings import Finding, Rule
from minreg.k3s.doctor.image_resolution import (
    Resolution,
    find_name_mismatch,
    find_pause_image,
    find_upstream,
    resolve_images,
)
from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.node_state import Node
from minreg.k3s.doctor.registry_service import InstalledRegistry
from minreg.k3s.doctor.rules.catalog import (
    IMAGES_BROKEN,
    IMAGES_MISSING,
    PAUSE_IMAGE,
    PLATFORM,
    ROOT_MISSING,
    ROOT_UNREADABLE,
)
from minreg.store.images import StoredImage
from minreg.text import count

_MAX_SHOWN = 5


def check_root(node: Node) -> Iterator[Finding]:
    """The registry tree exists, and has repositories."""
    root = node.registry.root
    if not node.registry.is_installed:
        return
    if not node.root_exists:
        problem = "the directory does not exist: minreg responds with 503 until it does"
        yield Finding(ROOT_MISSING, root, 0, problem, "unpack the tree there")
    elif node.tree is not None and not node.tree.repositories:
        problem = "the directory has no repositories: minreg has no image to serve"
        fix = "unpack the tree directly there, not into a directory below"
        yield Finding(ROOT_MISSING, root, 0, problem, fix)


def check_permissions(node: Node) -> Iterator[Finding]:
    """The service, which has a user of its own, may read the tree."""
    if node.tree is None or not node.tree.unreadable or not _has_dynamic_user(node.registry):
        return
    paths = _some(node.tree.unreadable)
    problem = f"the user of the service may not read {paths}: these are not served"
    fix = f"chmod -R a+rX {node.tree.root}"
    yield Finding(ROOT_UNREADABLE, node.tree.root, 0, problem, fix)


def check_platforms(node: Node) -> Iterator[Finding]:
    """The images are for the architecture of this node."""
    if node.tree is None or not node.architecture:
        return
    others = [image for image in node.tree.images if _is_for_others(image, node.architecture)]
    if not others:
        return
    problem = (
        f"{count(len(others), 'image')} in the tree cannot run on this node, which is "
        f"linux/{node.architecture}: {_some([_describe(image) for image in others])}"
    )
    fix = f"download them again with --platform linux/{node.architecture}, and copy them here"
    yield Finding(PLATFORM, node.tree.root, 0, problem, fix)


def check_contents(node: Node) -> Iterator[Finding]:
    """The images for this node are complete, and each layer has the right size."""
    if node.tree is None:
        return
    for name, message in node.tree.invalid.items() if not node.tree.unreadable else ():
        reason, _, fix = message.partition(": ")
        problem = f"no image of {name} can be pulled: {reason}"
        yield Finding(IMAGES_BROKEN, node.tree.root, 0, problem, fix)
    faults = [(image, _find_fault(node, image)) for image in node.tree.images]
    broken = [f"{image} ({fault})" for image, fault in faults if fault]
    if broken:
        root = node.tree.root
        problem = f"{count(len(broken), 'image')} in the tree cannot be pulled: {_some(broken)}"
        fix = f"copy the tree to {root} again; minreg verify -d {root} lists everything wrong"
        yield Finding(IMAGES_BROKEN, root, 0, problem, fix)


def check_images(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """The images that the node will pull are in the tree."""
    tree = node.tree
    if tree is None or not tree.repositories or setup.archives:
        return
    pause = find_pause_image(setup)
    missing = [resolution for resolution in resolve_images(node, setup) if _is_missing(resolution)]
    of_pause = [
        resolution
        for resolution in missing
        if pause is not None and resolution.required.image == pause.image
    ]
    others = [resolution for resolution in missing if resolution not in of_pause]
    for resolution in of_pause:
        yield _missing(node, setup, PAUSE_IMAGE, resolution, "; without it no pod starts")
    if others:
        first = others[0]
        more = [str(resolution.required.image) for resolution in others[1:]]
        also = f"; the same applies to {_some(more)}" if more else ""
        yield _missing(node, setup, IMAGES_MISSING, first, f" ({first.required.reason}){also}")


def _has_dynamic_user(registry: InstalledRegistry) -> bool:
    if registry.service is None:
        return False
    unit = registry.service.unit
    return unit.text("Service", "DynamicUser").lower() in {"yes", "true", "1", "on"}


def _is_for_others(image: StoredImage, architecture: str) -> bool:
    """Return whether an image is for other architectures only; without platforms it is not."""
    platforms = image.present
    return bool(platforms) and all(platform.architecture != architecture for platform in platforms)


def _find_fault(node: Node, image: StoredImage) -> str:
    """Return what is wrong with an image; content for other architectures may be missing."""
    tree = node.tree
    if not image.is_readable and tree is not None and not tree.unreadable:
        return image.problems[0]
    for stored in image.manifests:
        architecture = stored.platform.architecture if stored.platform is not None else ""
        is_for_other = architecture and node.architecture and architecture != node.architecture
        if stored.is_referrer or is_for_other:
            continue
        for blob in stored.manifest.blobs:
            if blob.digest in image.faulty:
                return f"{blob.digest} is missing or truncated"
    return ""


def _describe(image: StoredImage) -> str:
    return f"{image} ({', '.join(map(str, image.present))})"


def _is_missing(resolution: Resolution) -> bool:
    """Return whether no registry that is asked has an image, as far as is known here."""
    return resolution.served is None and not resolution.others


def _missing(
    node: Node, setup: K3sInstallation, rule: Rule, resolution: Resolution, also: str
) -> Finding:
    """Report an image that is not in the tree, or is requested elsewhere or by another name."""
    image, path, root = resolution.required.image, setup.registries_path, node.registry.root
    if resolution.request is None:
        registries = " and ".join(resolution.before) or "no registry"
        problem = f"{image} is pulled from {registries} only, not from minreg on this node{also}"
        urls = [address.url for address in node.registry.addresses[:1]]
        options = "".join(f" --endpoint {url}" for url in urls if url != ENDPOINT)
        fix = f"minreg registries {image.host}{options} --merge {path} --output {path}"
        return Finding(rule, path, 0, problem, fix)
    requested = f"{image} is requested as {resolution.request.url}"
    mismatch = find_name_mismatch(node, setup, resolution)
    if mismatch is not None:
        problem = f"{requested}, but is in the tree as {mismatch.served.repository}{also}"
        return Finding(rule, mismatch.path, mismatch.line, problem, mismatch.fix)
    upstream = find_upstream(node, setup, image)
    fix = f"minreg download {upstream}, on a machine with a network; then copy it to {root}"
    return Finding(rule, root, 0, f"{requested}, but is not in the tree{also}", fix)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MAX_SHOWN])
    return f"{shown} and {len(names) - _MAX_SHOWN} more" if len(names) > _MAX_SHOWN else shown
