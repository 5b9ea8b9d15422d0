"""An image that somebody will ask for, and how."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Self

import attrs

from minreg.defaults import DEFAULT_CONTROLLER, DEFAULT_KUBECTL
from minreg.oci.manifests import Platform
from minreg.oci.names import Digest, ImageReference, NameInvalid, parse_host, parse_references
from minreg.preflight.platforms import parse_platform, this_machine
from minreg.store.interfaces import ContentInvalid, ContentNotFound, IRegistryStore
from minreg.store.lookup import upstream_of
from minreg.store.tree import as_tag, match_release


@attrs.frozen
class WantedImage:
    """An image, the registry that a node will believe to ask, and who wants it.

    ``reason`` is a list, a place in a file, or an option, in words for people.
    """

    image: ImageReference
    reason: str
    registry: str = attrs.field()

    @registry.default
    def _default_registry(self) -> str:
        return self.image.host

    @property
    def reference(self) -> str | Digest:
        """What the registry is asked for: containerd drops the tag if there is a digest."""
        return self.image.tag if self.image.digest is None else self.image.digest

    def upstream(self, aliases: Mapping[str, str]) -> ImageReference:
        """Name the image where it comes from.

        Args:
            aliases: Names of this registry, each with the host that is meant by it.
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
"""The names of the images that only one component needs.

``helm-controller`` is not for ``--disable`` of K3s, but for its ``--disable-helm-controller``.
Charts other than traefik's need it, so it is not left out with traefik.
"""

_MIRRORED = "mirrored-"
"""Rancher's prefix for images of others; until 2021 they went without."""


class ComponentUnknown(ValueError):
    """K3s has no such component; the text names those that it has."""


def parse_components(texts: Iterable[str]) -> frozenset[str]:
    """Read components as K3s takes them: several, or divided by commas.

    Raises:
        ComponentUnknown: One is none.
    """
    found = {name for text in texts for name in map(str.strip, text.split(",")) if name}
    unknown = sorted(found - COMPONENTS.keys())
    if unknown:
        raise ComponentUnknown(
            f"{unknown[0][:80]!r} is no component of K3s that can be left out: "
            f"these are {', '.join(COMPONENTS)}"
        )
    return frozenset(found)


def without_components(
    images: Iterable[WantedImage], disabled: Iterable[str]
) -> list[WantedImage]:
    """Leave out what only components need that a node does without."""
    unneeded = {name for component in disabled for name in COMPONENTS[component]}
    return [wanted for wanted in images if _name(wanted) not in unneeded]


def _name(wanted: WantedImage) -> str:
    return wanted.image.repository.rpartition("/")[2].removeprefix(_MIRRORED)


_UPGRADE = "rancher/k3s-upgrade"


def upgrade_images(
    version: str,
    controller: ImageReference | None,
    kubectl: ImageReference | None,
    known: Sequence[WantedImage] = (),
) -> list[WantedImage]:
    """Name the images that carry an upgrade out.

    Args:
        version: The release that is upgraded to.
        controller: The system-upgrade-controller of the cluster, None for what is named in
            ``known``, or else that of the controller's current manifests.
        kubectl: Likewise, what it cordons and drains nodes with.
        known: Images that are wanted anyway, of the cluster's own manifests.
    """
    return [
        WantedImage(ImageReference.parse(f"{_UPGRADE}:{as_tag(version)}"), "the upgrade"),
        *_own_or_default(controller, DEFAULT_CONTROLLER, "the upgrade's controller", known),
        *_own_or_default(kubectl, DEFAULT_KUBECTL, "the upgrade's kubectl", known),
    ]


def _own_or_default(
    own: ImageReference | None, default: str, reason: str, known: Sequence[WantedImage]
) -> list[WantedImage]:
    if own is not None:
        return [WantedImage(own, reason)]
    image = ImageReference.parse(default)
    if any(wanted.image.repository == image.repository for wanted in known):
        return []
    return [WantedImage(image, f"{reason}, of the version that is installed by default")]


_MOST_KEPT = 10
_MOST_IMAGES = 5000


class QueryInvalid(ValueError):
    """A part of a question breaks its grammar, or names something that there is not."""


class CannotCheck(Exception):
    """The question cannot be answered; the text says why, and what to do."""


class ReleaseUnknown(CannotCheck):
    """The tree does not know which images a release has."""


@attrs.frozen
class PreflightQuery:
    """What is to be there.

    ``release`` is one of K3s, without what ``disabled`` components need, and with what an
    ``upgrade`` needs if that is set; ``controller`` and ``kubectl`` are what upgrades there.
    ``registry`` is what K3s has as its ``system-default-registry``. ``more`` are images that
    are wanted besides. ``platforms`` are those of nodes, None for all that there are.
    """

    release: str | None = None
    platforms: Sequence[Platform | None] = ()
    disabled: frozenset[str] = frozenset()
    upgrade: bool = False
    controller: ImageReference | None = None
    kubectl: ImageReference | None = None
    registry: str | None = None
    more: Sequence[WantedImage] = ()

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
        more: Sequence[WantedImage] = (),
    ) -> Self:
        """Read a question as people put it; that of this machine is the platform by default.

        Raises:
            QuestionInvalid: A part of it cannot be.
        """
        try:
            return cls(
                release,
                tuple(dict.fromkeys(map(parse_platform, platforms))) or (this_machine(),),
                parse_components(disabled),
                upgrade,
                None if controller is None else ImageReference.parse(controller),
                None if kubectl is None else ImageReference.parse(kubectl),
                None if registry is None else parse_host(registry),
                more,
            )
        except ValueError as error:
            raise QueryInvalid(str(error)) from None


def find_images(store: IRegistryStore, question: PreflightQuery) -> list[WantedImage]:
    """List the images that a question is about, none twice.

    Raises:
        CannotLook: The list of the release is not here, or cannot be read, or no image is
            wanted at all.
        StoreUnavailable: The store as a whole cannot be read.
    """
    found: list[WantedImage] = []
    if question.release is not None:
        release = find_release(store, question.release)
        own = without_components(_read_list(store, release, question.registry), question.disabled)
        found += own
        if question.upgrade:
            found += upgrade_images(
                release, question.controller, question.kubectl, [*own, *question.more]
            )
    images = _each_once([*found, *question.more])
    if not images:
        raise CannotCheck("no image is named there: nothing was checked")
    return images


def find_release(store: IRegistryStore, wanted: str) -> str:
    """Name the release that is meant, as the tree keeps it; raises as ``find_images`` does."""
    try:
        kept = store.list_releases()
    except ContentInvalid as error:
        raise CannotCheck(str(error)) from None
    release = match_release(kept, wanted)
    if release is None:
        raise ReleaseUnknown(
            f"which images K3s {wanted[:80]!r} has is not known here: {_describe(kept)}; "
            "minreg download --version keeps that of a release, or put its k3s-images.txt "
            "into the tree as k3s/VERSION.txt"
        )
    return release


def _read_list(store: IRegistryStore, release: str, registry: str | None) -> list[WantedImage]:
    try:
        lines = store.read_release(release).decode("utf-8", "replace").splitlines()
        images = parse_references(lines, f"k3s/{release}.txt")
    except (ContentNotFound, NameInvalid) as error:
        raise CannotCheck(str(error).partition("\n")[0]) from None
    if len(images) > _MOST_IMAGES:
        raise CannotCheck(f"k3s/{release}.txt names more than {_MOST_IMAGES} images: cut it down")
    reason = f"K3s {release}"
    return [WantedImage(image, reason, registry or image.host) for image in images]


def _describe(kept: Sequence[str]) -> str:
    if not kept:
        return "no list of a release is kept"
    more = f" and {len(kept) - _MOST_KEPT} more" if len(kept) > _MOST_KEPT else ""
    return f"lists are kept of {', '.join(kept[-_MOST_KEPT:])}{more}"


def _each_once(images: Iterable[WantedImage]) -> list[WantedImage]:
    known: dict[tuple[str, ImageReference], WantedImage] = {}
    for wanted in images:
        known.setdefault((wanted.registry, wanted.image), wanted)
    return list(known.values())
