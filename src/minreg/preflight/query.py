"""What a preflight is asked for, and which images that means.

A query names a K3s release, components that the nodes do without, whether the upgrade's own
images are needed, and more images one by one. It is resolved to a list of images with the image
list of the release that the tree has (``k3s/VERSION.txt``).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Self

import attrs

from minreg.defaults import DEFAULT_CONTROLLER, DEFAULT_KUBECTL
from minreg.oci.names import Digest, ImageReference, NameInvalid, parse_host, parse_references
from minreg.oci.platforms import Platform, local_platform, parse_platform
from minreg.store.interfaces import ContentInvalid, ContentNotFound, IRegistryStore
from minreg.store.tree import as_tag, match_release, upstream_of
from minreg.text import TextInvalid, decode_text


@attrs.frozen
class RequiredImage:
    """An image that nodes will pull.

    Attributes:
        image: The image.
        reason: What needs it: a list, a line of a file, or an option, in words for people.
        registry: The registry that a node names in its request (``ns``); the image's host
            unless K3s' ``system-default-registry`` replaces it.
        is_likely: Whether it only has the form of an image, so nodes may not pull it.
    """

    image: ImageReference
    reason: str
    registry: str = attrs.field()
    is_likely: bool = False

    @registry.default
    def _default_registry(self) -> str:
        return self.image.host

    @property
    def reference(self) -> str | Digest:
        """What a node requests. containerd ignores the tag if there is a digest."""
        return self.image.tag if self.image.digest is None else self.image.digest

    def upstream(self, aliases: Mapping[str, str]) -> ImageReference:
        """Return the image's reference at its upstream registry.

        Args:
            aliases: Names of this registry, each with the upstream host that it stands for.
        """
        host, repository = self.image.host, self.image.repository
        if host in aliases:
            host, repository = upstream_of(host, repository, aliases)
        return attrs.evolve(self.image, host=host, repository=repository)


COMPONENTS: Mapping[str, frozenset[str]] = {
    "coredns": frozenset({"coredns-coredns"}),
    "helm-controller": frozenset({"klipper-helm"}),
    "local-storage": frozenset({"library-busybox", "local-path-provisioner"}),
    "metrics-server": frozenset({"metrics-server"}),
    "runtimes": frozenset(),
    "servicelb": frozenset({"klipper-lb"}),
    "traefik": frozenset({"library-traefik"}),
}
"""The images that only one component of K3s needs, by the component.

``helm-controller`` is disabled by ``--disable-helm-controller`` and not by ``--disable``. Other
charts than traefik's need it too, so it is not left out together with traefik.
"""

_MIRRORED = "mirrored-"
"""Rancher's prefix for mirrored images, which they have had since 2021."""


class ComponentUnknown(ValueError):
    """K3s has no such component. The message lists those that it has."""


def parse_components(texts: Iterable[str]) -> frozenset[str]:
    """Parse the values of K3s' option ``--disable``: components, separated by commas.

    Raises:
        ComponentUnknown: K3s has no such component.
    """
    names = {name for text in texts for name in map(str.strip, text.split(",")) if name}
    unknown = sorted(names - COMPONENTS.keys())
    if unknown:
        raise ComponentUnknown(
            f"{unknown[0][:80]!r} is not a component of K3s that can be disabled: "
            f"use {', '.join(COMPONENTS)}"
        )
    return frozenset(names)


def without_components(
    images: Iterable[RequiredImage], disabled: Iterable[str]
) -> list[RequiredImage]:
    """Return images without those that only disabled components need."""
    unneeded = {name for component in disabled for name in COMPONENTS[component]}
    return [required for required in images if _component_image(required) not in unneeded]


def _component_image(required: RequiredImage) -> str:
    return required.image.repository.rpartition("/")[2].removeprefix(_MIRRORED)


_UPGRADE = "rancher/k3s-upgrade"


def upgrade_images(
    version: str,
    controller: ImageReference | None,
    kubectl: ImageReference | None,
    others: Sequence[RequiredImage] = (),
) -> list[RequiredImage]:
    """Return the images that carry out an upgrade.

    Args:
        version: The release to upgrade to.
        controller: The cluster's system-upgrade-controller. If None, it is the one in
            ``others``, or else that of the controller's published manifests.
        kubectl: The image with which the controller cordons and drains nodes; likewise.
        others: Images that are required anyway, by the cluster's own manifests.
    """
    return [
        RequiredImage(ImageReference.parse(f"{_UPGRADE}:{as_tag(version)}"), "the upgrade"),
        *_given_or_default(controller, DEFAULT_CONTROLLER, "the upgrade's controller", others),
        *_given_or_default(kubectl, DEFAULT_KUBECTL, "the upgrade's kubectl", others),
    ]


def _given_or_default(
    given: ImageReference | None, default: str, reason: str, others: Sequence[RequiredImage]
) -> list[RequiredImage]:
    if given is not None:
        return [RequiredImage(given, reason)]
    image = ImageReference.parse(default)
    if any(required.image.repository == image.repository for required in others):
        return []
    return [RequiredImage(image, f"{reason}, of the version that is installed by default")]


_MOST_NAMED = 10
_MOST_IMAGES = 5000


class QueryInvalid(ValueError):
    """A part of a query breaks its grammar, or names something that does not exist."""


class CannotCheck(Exception):
    """The preflight cannot be made. The message says why, and what to do."""


class ReleaseUnknown(CannotCheck):
    """The tree has no image list of the release."""


@attrs.frozen
class PreflightQuery:
    """What a preflight checks.

    Attributes:
        release: The K3s release, None for ``more`` alone.
        platforms: The platforms of the nodes, None for every platform that an image has.
        disabled: The components that the nodes do without.
        upgrade: Whether the images that carry out an upgrade are required.
        controller: The system-upgrade-controller's image; see ``upgrade_images``.
        kubectl: The controller's kubectl image; see ``upgrade_images``.
        registry: The value of K3s' option ``system-default-registry``.
        more: Images that are required besides.
    """

    release: str | None = None
    platforms: Sequence[Platform | None] = ()
    disabled: frozenset[str] = frozenset()
    upgrade: bool = False
    controller: ImageReference | None = None
    kubectl: ImageReference | None = None
    registry: str | None = None
    more: Sequence[RequiredImage] = ()

    @classmethod
    def parse(
        cls,
        *,
        release: str | None,
        platforms: Sequence[str],
        disabled: Sequence[str],
        upgrade: bool,
        controller: str | None,
        kubectl: str | None,
        registry: str | None,
        more: Sequence[RequiredImage] = (),
    ) -> Self:
        """Parse the parts of a query. The default platform is that of this machine.

        Raises:
            QueryInvalid: A part is invalid.
        """
        try:
            return cls(
                release,
                tuple(dict.fromkeys(map(parse_platform, platforms))) or (local_platform(),),
                parse_components(disabled),
                upgrade,
                None if controller is None else ImageReference.parse(controller),
                None if kubectl is None else ImageReference.parse(kubectl),
                None if registry is None else parse_host(registry),
                more,
            )
        except ValueError as error:
            raise QueryInvalid(str(error)) from None


def resolve_images(store: IRegistryStore, query: PreflightQuery) -> list[RequiredImage]:
    """Return the images that a query means, each once.

    Raises:
        CannotCheck: The tree has no readable image list of the release, or the query means no
            image at all.
        StoreUnavailable: The store as a whole cannot be read.
    """
    images: list[RequiredImage] = []
    if query.release is not None:
        release = find_release(store, query.release)
        own = without_components(_read_list(store, release, query.registry), query.disabled)
        images += own
        if query.upgrade:
            images += upgrade_images(release, query.controller, query.kubectl, [*own, *query.more])
    unique = _without_duplicates([*images, *query.more])
    if not unique:
        raise CannotCheck("the query names no image: nothing was checked")
    return unique


def find_release(store: IRegistryStore, version: str) -> str:
    """Return the name under which the tree has a release; raises as ``resolve_images`` does."""
    try:
        releases = store.list_releases()
    except ContentInvalid as error:
        raise CannotCheck(str(error)) from None
    release = match_release(releases, version)
    if release is None:
        raise ReleaseUnknown(
            f"the tree has no image list of K3s {version[:80]!r}: it has {_describe(releases)}; "
            "run minreg download --version, or copy the release's k3s-images.txt "
            "into the tree as k3s/VERSION.txt"
        )
    return release


def _read_list(store: IRegistryStore, release: str, registry: str | None) -> list[RequiredImage]:
    try:
        lines = decode_text(store.read_release(release)).splitlines()
        images = parse_references(lines, f"k3s/{release}.txt")
    except TextInvalid as error:
        raise CannotCheck(f"k3s/{release}.txt is {error}") from None
    except (ContentNotFound, NameInvalid) as error:
        raise CannotCheck(str(error).partition("\n")[0]) from None
    if len(images) > _MOST_IMAGES:
        raise CannotCheck(
            f"k3s/{release}.txt names more than {_MOST_IMAGES} images: remove lines from it"
        )
    reason = f"K3s {release}"
    return [RequiredImage(image, reason, registry or image.host) for image in images]


def _describe(releases: Sequence[str]) -> str:
    if not releases:
        return "none of any release"
    more = f" and {len(releases) - _MOST_NAMED} more" if len(releases) > _MOST_NAMED else ""
    return f"those of {', '.join(releases[-_MOST_NAMED:])}{more}"


def _without_duplicates(images: Iterable[RequiredImage]) -> list[RequiredImage]:
    """Return images without duplicates. An image that is required somewhere is not only likely."""
    unique: dict[tuple[str, ImageReference], RequiredImage] = {}
    for required in sorted(images, key=lambda required: required.is_likely):
        unique.setdefault((required.registry, required.image), required)
    return list(unique.values())
