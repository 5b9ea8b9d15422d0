"""What an upgrade by the system-upgrade-controller needs, besides the release itself.

Source: rancher/system-upgrade-controller at d357e23 (August 2026): ``kustomization.yaml``
(the controller that its manifests install), ``pkg/upgrade/job/job.go`` (the kubectl that
cordons and drains, unless SYSTEM_UPGRADE_JOB_KUBECTL_IMAGE names another),
``pkg/upgrade/plan/plan.go`` (a version's ``+`` becomes the ``-`` of a tag),
``examples/k3s-upgrade.yaml`` (the image that exchanges K3s).
"""

from collections.abc import Sequence

from minreg.defaults import DEFAULT_CONTROLLER, DEFAULT_KUBECTL
from minreg.preflight.wanted import WantedImage
from minreg.references import ImageReference
from minreg.store.releases import as_tag

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
