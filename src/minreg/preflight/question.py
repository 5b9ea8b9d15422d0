"""What somebody wants to know before an upgrade, and the images that this comes to."""

from collections.abc import Iterable, Sequence
from typing import Self

import attrs

from minreg.interfaces import ContentBroken, ContentNotFound, IRegistryStore
from minreg.manifests import Platform
from minreg.names import NameInvalid, parse_host
from minreg.preflight.components import parse_components, without_components
from minreg.preflight.platforms import parse_platform, this_machine
from minreg.preflight.upgrade import upgrade_images
from minreg.preflight.wanted import WantedImage
from minreg.references import ImageReference, parse_references
from minreg.store.releases import match_release

_MOST_KEPT = 10
_MOST_IMAGES = 5000


class QuestionInvalid(ValueError):
    """A part of a question breaks its grammar, or names something that there is not."""


class CannotLook(Exception):
    """The question cannot be answered; the text says why, and what to do."""


class ReleaseUnknown(CannotLook):
    """The tree does not know which images a release has."""


@attrs.frozen
class Question:
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
            raise QuestionInvalid(str(error)) from None


def find_images(store: IRegistryStore, question: Question) -> list[WantedImage]:
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
        raise CannotLook("no image is named there: nothing was checked")
    return images


def find_release(store: IRegistryStore, wanted: str) -> str:
    """Name the release that is meant, as the tree keeps it; raises as ``find_images`` does."""
    try:
        kept = store.list_releases()
    except ContentBroken as error:
        raise CannotLook(str(error)) from None
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
        raise CannotLook(str(error).partition("\n")[0]) from None
    if len(images) > _MOST_IMAGES:
        raise CannotLook(f"k3s/{release}.txt names more than {_MOST_IMAGES} images: cut it down")
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
