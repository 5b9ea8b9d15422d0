"""Rules about the tree that the registry serves, and about what it has for this node."""

from collections.abc import Iterator, Sequence

from minreg.defaults import ENDPOINT
from minreg.k3s.doctor.findings import Finding, Rule
from minreg.k3s.doctor.images import (
    Resolution,
    find_name_mismatch,
    find_pause_image,
    find_upstream,
    resolve_images,
)
from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.node import Node
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

_SHOWN = 5


def check_root(node: Node) -> Iterator[Finding]:
    """There is a tree, with something in it."""
    root = node.registry.root
    if not node.registry.is_installed:
        return
    if not node.root_exists:
        problem = "there is no such directory: minreg answers 503 until there is"
        yield Finding(ROOT_MISSING, root, 0, problem, "unpack the tree there")
    elif node.tree is not None and not node.tree.repositories:
        problem = "there is no repository in it: minreg has no image to serve"
        yield Finding(ROOT_MISSING, root, 0, problem, "unpack the tree there, not one level below")


def check_rights(node: Node) -> Iterator[Finding]:
    """The service, whose user owns nothing, may read the tree."""
    if node.tree is None or not node.tree.closed or not _has_its_own_user(node.registry):
        return
    paths = _some(node.tree.closed)
    problem = f"the service's user may not read {paths}: what lies there is not served"
    yield Finding(ROOT_UNREADABLE, node.tree.root, 0, problem, f"chmod -R a+rX {node.tree.root}")


def check_platforms(node: Node) -> Iterator[Finding]:
    """Images are for the processor that this node has."""
    if node.tree is None or not node.architecture:
        return
    foreign = [image for image in node.tree.images if _is_foreign(image, node.architecture)]
    if not foreign:
        return
    problem = (
        f"{count(len(foreign), 'image')} of the tree cannot run on this node, which is "
        f"linux/{node.architecture}: {_some([_describe(image) for image in foreign])}"
    )
    fix = f"minreg download --platform linux/{node.architecture} them, and carry them here"
    yield Finding(PLATFORM, node.tree.root, 0, problem, fix)


def check_contents(node: Node) -> Iterator[Finding]:
    """Of images for this node, each layer is there, and as long as it should be."""
    if node.tree is None:
        return
    for name, trouble in node.tree.troubles.items() if not node.tree.closed else ():
        what, _, fix = trouble.partition(": ")
        problem = f"nothing of {name} can be pulled: {what}"
        yield Finding(IMAGES_BROKEN, node.tree.root, 0, problem, fix)
    faults = [(image, _find_fault(node, image)) for image in node.tree.images]
    broken = [f"{image} ({fault})" for image, fault in faults if fault]
    if broken:
        root = node.tree.root
        problem = f"{count(len(broken), 'image')} of the tree cannot be pulled: {_some(broken)}"
        fix = f"carry the tree to {root} again; minreg verify -d {root} names all that is wrong"
        yield Finding(IMAGES_BROKEN, root, 0, problem, fix)


def check_images(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """What the node will ask for is there."""
    tree = node.tree
    if tree is None or not tree.repositories or setup.archives:
        return
    pause = find_pause_image(setup)
    missing = [answer for answer in resolve_images(node, setup) if _is_missing(answer)]
    of_pause = [one for one in missing if pause is not None and one.wanted.image == pause.image]
    others = [answer for answer in missing if answer not in of_pause]
    for answer in of_pause:
        also = "; without it no pod starts"
        yield _missing(node, setup, PAUSE_IMAGE, answer, also)
    if others:
        first = others[0]
        more = [str(answer.wanted.image) for answer in others[1:]]
        also = f", and likewise {_some(more)}" if more else ""
        yield _missing(node, setup, IMAGES_MISSING, first, f" ({first.wanted.reason}){also}")


def _has_its_own_user(registry: InstalledRegistry) -> bool:
    if registry.service is None:
        return False
    unit = registry.service.unit
    return unit.text("Service", "DynamicUser").lower() in {"yes", "true", "1", "on"}


def _is_foreign(image: StoredImage, architecture: str) -> bool:
    """Tell whether an image is for other architectures only; one that says nothing is for all."""
    platforms = image.present
    return bool(platforms) and all(one.architecture != architecture for one in platforms)


def _find_fault(node: Node, image: StoredImage) -> str:
    """Say what is wrong with an image; what is for other processors may be missing."""
    tree = node.tree
    if not image.is_readable and tree is not None and not tree.closed:
        return image.problems[0]
    for held in image.manifests:
        platform = held.platform.architecture if held.platform is not None else ""
        if held.is_referrer or (platform and node.architecture and platform != node.architecture):
            continue
        for blob in held.manifest.blobs:
            if blob.digest in image.faulty:
                return f"{blob.digest} is missing, or cut short"
    return ""


def _describe(image: StoredImage) -> str:
    return f"{image} ({', '.join(map(str, image.present))})"


def _is_missing(answer: Resolution) -> bool:
    """Tell whether nobody who is asked can have an image, as far as can be seen here."""
    return answer.served is None and not answer.others


def _missing(
    node: Node, setup: K3sInstallation, rule: Rule, answer: Resolution, also: str
) -> Finding:
    """Say why an image is missing, and name what is to be changed: the tree, or who is asked."""
    image, path, root = answer.wanted.image, setup.registries_path, node.registry.root
    if answer.request is None:
        asked = " and ".join(answer.before) or "nobody"
        problem = f"{image} is asked for at {asked} only, not at this node's registry{also}"
        urls = [address.url for address in node.registry.addresses[:1]]
        options = "".join(f" --endpoint {url}" for url in urls if url != ENDPOINT)
        fix = f"minreg registries {image.host}{options} --merge {path} --output {path}"
        return Finding(rule, path, 0, problem, fix)
    asked = f"{image} is asked for as {answer.request.url}, and is"
    detour = find_name_mismatch(node, setup, answer)
    if detour is not None:
        problem = f"{asked} in the tree as {detour.served.place}{also}"
        return Finding(rule, detour.path, detour.line, problem, detour.fix)
    upstream = find_upstream(node, setup, image)
    fix = f"minreg download {upstream} where there is a network, and carry it to {root}"
    return Finding(rule, root, 0, f"{asked} not in the tree{also}", fix)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
