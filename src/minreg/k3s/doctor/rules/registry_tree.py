"""Rules about the registry tree, and about the images in it that this node needs."""

import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import attrs

from minreg.defaults import ENDPOINT, WILDCARD
from minreg.k3s.doctor.findings import Finding, Rule
from minreg.k3s.doctor.image_resolution import (
    NameMismatch,
    Resolution,
    find_name_mismatch,
    find_pause_image,
    find_upstream,
    resolve_images,
)
from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.installed_tree import InstalledTree
from minreg.k3s.doctor.node_state import Node
from minreg.k3s.doctor.registry_service import InstalledRegistry
from minreg.k3s.doctor.rules.catalog import (
    IMAGES_BROKEN,
    IMAGES_MISSING,
    MIRROR_ELSEWHERE,
    PAUSE_IMAGE,
    PLATFORM,
    ROOT_MISSING,
    ROOT_TOO_DEEP,
    ROOT_UNREADABLE,
)
from minreg.k3s.doctor.rules.endpoint_targets import leads_to_minreg
from minreg.k3s.doctor.rules.mirrors import iterate_valid_endpoints
from minreg.k3s.registries.certs_d import Embedded
from minreg.oci.names import is_host
from minreg.store.images import StoredImage
from minreg.text import count

_MAX_SHOWN = 5
_MAX_DOWNLOADED = 20


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


def check_root_depth(node: Node) -> Iterator[Finding]:
    """The tree is in its root, not in a directory below, as after unpacking it in the root."""
    if node.tree is None or not node.tree.nested:
        return
    root, nested = node.tree.root, node.tree.nested
    problem = f"the tree is in {root}/{nested}: minreg expects its images directly in {root}"
    below = shlex.quote(nested)
    move = f"cd {shlex.quote(root)} && find {below} -mindepth 1 -maxdepth 1 -exec mv -t . {{}} +"
    fix = f"{move} && rmdir -p {below}"
    yield Finding(ROOT_TOO_DEEP, root, 0, problem, fix)


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
    """The images that the node will pull are in the tree, and are requested from minreg."""
    tree = node.tree
    if tree is None or not tree.repositories or setup.archives or tree.nested:
        return
    pause = find_pause_image(setup)
    missing = [resolution for resolution in resolve_images(node, setup) if _is_missing(resolution)]
    of_pause = [
        resolution
        for resolution in missing
        if pause is not None and resolution.required.image == pause.image
    ]
    others = [resolution for resolution in missing if resolution not in of_pause]
    for rule, resolutions in ((PAUSE_IMAGE, of_pause), (IMAGES_MISSING, others)):
        for cause in _group_by_cause(node, setup, resolutions):
            yield cause.report(node, setup, rule)


def check_mirrors_elsewhere(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """Images that the tree has under the name of their registry are requested from minreg.

    Registries that ``check_images`` reports are left out.
    """
    tree, mirrors = node.tree, setup.registries.mirrors
    if tree is None or tree.nested or not node.registry.is_installed:
        return
    missing = [resolution for resolution in resolve_images(node, setup) if _is_missing(resolution)]
    reported = {_find_mirror(setup, resolution.required.image.host) for resolution in missing}
    asked = {
        mirror.name.text
        for mirror, _, endpoint in iterate_valid_endpoints(setup)
        if leads_to_minreg(node, endpoint)
    }
    aliases = [name for name in node.registry.aliases if _find_mirror(setup, name) in asked]
    hosts = _count_repositories(tree, {node.registry.aliases[name] for name in aliases})
    by_mirror: dict[str, list[str]] = {}
    for host in sorted(hosts):
        by_mirror.setdefault(_find_mirror(setup, host), []).append(host)
    for name, own_hosts in by_mirror.items():
        urls = [
            located.text
            for mirror, located, _ in iterate_valid_endpoints(setup)
            if mirror.name.text == name
        ]
        if not urls or name in asked | reported:
            continue
        number = count(sum(hosts[host] for host in own_hosts), "repository", "repositories")
        problem = (
            f"the tree has {number} of {_some(own_hosts)}, but the mirror {name} leads to "
            f"{_some(urls)} only: minreg is never asked for them"
        )
        fix = _merge_mirrors(node, setup, ["--wildcard"] if name == WILDCARD else [name])
        line = mirrors[name].name.position.line
        yield Finding(MIRROR_ELSEWHERE, setup.registries_path, line, problem, fix)


def _count_repositories(tree: InstalledTree, aliased: Collection[str]) -> Mapping[str, int]:
    """Count the repositories of the tree by host, except those that an alias also serves."""
    firsts = (name.partition("/")[0] for name in tree.repositories)
    return Counter(first for first in firsts if is_host(first) and first not in aliased)


def _find_mirror(setup: K3sInstallation, host: str) -> str:
    """Return the name of the mirror for a registry; that of the registry if it has none."""
    mirrors = setup.registries.mirrors
    return WILDCARD if host not in mirrors and WILDCARD in mirrors else host


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
    """Return whether no registry that is asked has an image, or minreg has it and is not asked."""
    if resolution.in_tree is not None:
        return True
    return resolution.served is None and not resolution.others


@attrs.frozen
class _Cause:
    """Why minreg does not serve some images: the same for all of them.

    ``mismatch`` is the configuration that changes their names; None if they are not requested
    from minreg at all, or are not in the tree.
    """

    resolutions: Sequence[Resolution]
    mismatch: NameMismatch | None = None

    def report(self, node: Node, setup: K3sInstallation, rule: Rule) -> Finding:
        """Return the finding, with a fix for all images."""
        resolution, root = self.resolutions[0], node.registry.root
        image, request = resolution.required.image, resolution.request
        if request is None:
            registries = " and ".join(_name_registries(setup, resolution)) or "no registry"
            problem = f"{image} is pulled from {registries} only, not from minreg on this node"
            if resolution.in_tree is not None:
                problem += ", which has it"
            fix = _add_mirrors(node, setup, self.resolutions)
            return Finding(rule, setup.registries_path, 0, problem + self._rest(rule), fix)
        requested = f"{image} is requested as {request.url}"
        mismatch = self.mismatch
        if mismatch is not None:
            problem = f"{requested}, but is in the tree as {mismatch.served.repository}"
            problem += self._rest(rule)
            return Finding(rule, mismatch.path, mismatch.line, problem, mismatch.fix)
        problem = f"{requested}, but is not in the tree{self._rest(rule)}"
        return Finding(rule, root, 0, problem, _download(node, setup, self.resolutions))

    def _rest(self, rule: Rule) -> str:
        """Return the end of the problem: the consequence, or the reason and the other images."""
        if rule is PAUSE_IMAGE:
            return "; without it no pod starts"
        first, *others = self.resolutions
        more = [str(resolution.required.image) for resolution in others]
        also = f"; the same applies to {_some(more)}" if more else ""
        return f" ({first.required.reason}){also}"


def _name_registries(setup: K3sInstallation, resolution: Resolution) -> Iterator[str]:
    """Yield the addresses that an image is requested from."""
    for address in resolution.before:
        is_embedded = setup.has_embedded_registry and address.endswith(f"//{Embedded().address}")
        yield f"K3s' embedded registry ({address})" if is_embedded else address


def _group_by_cause(
    node: Node, setup: K3sInstallation, resolutions: Iterable[Resolution]
) -> Sequence[_Cause]:
    """Group images by why minreg does not serve them, in the order of the first of each group."""
    groups: dict[tuple[object, ...], list[Resolution]] = {}
    mismatches: dict[tuple[object, ...], NameMismatch | None] = {}
    for resolution in resolutions:
        mismatch = find_name_mismatch(node, setup, resolution)
        key: tuple[object, ...] = (resolution.request is None, _uses_wildcard(setup, resolution))
        if mismatch is not None:
            key = (mismatch.path, mismatch.line, mismatch.fix)
        groups.setdefault(key, []).append(resolution)
        mismatches.setdefault(key, mismatch)
    return [_Cause(group, mismatches[key]) for key, group in groups.items()]


def _uses_wildcard(setup: K3sInstallation, resolution: Resolution) -> bool:
    """Return whether minreg is not asked, and the mirror for all registries is to be changed."""
    host = resolution.required.image.host
    return resolution.request is None and _find_mirror(setup, host) == WILDCARD


def _add_mirrors(node: Node, setup: K3sInstallation, resolutions: Sequence[Resolution]) -> str:
    """Return the command that makes containerd request images from minreg."""
    names = dict.fromkeys(
        "--wildcard" if _uses_wildcard(setup, resolution) else resolution.required.image.host
        for resolution in resolutions
    )
    return _merge_mirrors(node, setup, list(names))


def _merge_mirrors(node: Node, setup: K3sInstallation, names: Sequence[str]) -> str:
    """Return the command that adds minreg to the mirrors of registries."""
    urls = [address.url for address in node.registry.addresses[:1]]
    options = "".join(f" --endpoint {url}" for url in urls if url != ENDPOINT)
    path = setup.registries_path
    return f"minreg registries {' '.join(names)}{options} --merge {path} --output {path}"


def _download(node: Node, setup: K3sInstallation, resolutions: Sequence[Resolution]) -> str:
    """Return the command that downloads images."""
    names = [
        str(find_upstream(node, setup, resolution.required.image)) for resolution in resolutions
    ]
    command = f"minreg download {' '.join(names[:_MAX_DOWNLOADED])}"
    rest = len(names) - _MAX_DOWNLOADED
    others = f", and {count(rest, 'more image')} of those below" if rest > 0 else ""
    return f"{command}{others}, on a machine with a network; then copy it to {node.registry.root}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MAX_SHOWN])
    return f"{shown} and {len(names) - _MAX_SHOWN} more" if len(names) > _MAX_SHOWN else shown
