"""Tests for ``minreg.preflight.query`` and ``minreg.preflight.query``."""

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from minreg.oci.names import ImageReference
from minreg.preflight.query import (
    ComponentUnknown,
    RequiredImage,
    parse_components,
    upgrade_images,
    without_components,
)
from tests.preflight_support import IMAGES, VERSION, required


class ComponentsTests(SynchronousTestCase):
    """Tests for disabled components of K3s."""

    def left(self, *disabled: str) -> set[str]:
        """Name the images of a release that are not needed then."""
        images = [required(f"docker.io/rancher/{image}") for image in IMAGES]
        kept = without_components(images, parse_components(disabled))
        return {one.image.repository.removeprefix("rancher/") for one in images if one not in kept}

    def test_each(self) -> None:
        """Each component has images that only it needs, or none."""
        for component, images in {
            "coredns": {"mirrored-coredns-coredns"},
            "helm-controller": {"klipper-helm"},
            "local-storage": {"local-path-provisioner", "mirrored-library-busybox"},
            "metrics-server": {"mirrored-metrics-server"},
            "runtimes": set(),
            "servicelb": {"klipper-lb"},
            "traefik": {"mirrored-library-traefik"},
        }.items():
            self.assertEqual(self.left(component), images)

    def test_several(self) -> None:
        """Several are named as K3s has them: again, or with commas."""
        self.assertEqual(
            self.left("traefik, servicelb", "coredns,"),
            {"mirrored-library-traefik", "klipper-lb", "mirrored-coredns-coredns"},
        )
        self.assertEqual(self.left(), set())

    def test_old_names(self) -> None:
        """Until 2021 the images of others had no prefix."""
        old = [required("rancher/library-traefik:1.7.19"), required("rancher/pause:3.1")]
        self.assertEqual(without_components(old, {"traefik"}), old[1:])

    def test_unknown(self) -> None:
        """A component that is none is refused, and those that are some are named."""
        error = self.assertRaises(ComponentUnknown, parse_components, ["traefik,treafik"])
        self.assertEqual(
            str(error),
            "'treafik' is not a component of K3s that can be disabled: use coredns, "
            "helm-controller, local-storage, metrics-server, runtimes, servicelb, traefik",
        )


class UpgradeTests(SynchronousTestCase):
    """Tests for what carries an upgrade out."""

    def names(
        self, controller: str = "", kubectl: str = "", known: Sequence[RequiredImage] = ()
    ) -> list[str]:
        """Name the images."""
        own, its = (ImageReference.parse(text) if text else None for text in (controller, kubectl))
        return [str(one.image) for one in upgrade_images(VERSION, own, its, known)]

    def test_default(self) -> None:
        """A version's ``+`` is ``-`` in a tag; the rest is as the controller's manifests say."""
        self.assertEqual(
            self.names(),
            [
                "docker.io/rancher/k3s-upgrade:v1.33.4-k3s1",
                "docker.io/rancher/system-upgrade-controller:v0.20.1",
                "docker.io/rancher/kubectl:v1.30.3",
            ],
        )

    def test_own(self) -> None:
        """Both can be named."""
        self.assertEqual(
            self.names("rancher/system-upgrade-controller:v1", "registry.k8s.io/kubectl:v1.34.1"),
            [
                "docker.io/rancher/k3s-upgrade:v1.33.4-k3s1",
                "docker.io/rancher/system-upgrade-controller:v1",
                "registry.k8s.io/kubectl:v1.34.1",
            ],
        )

    def test_known(self) -> None:
        """What the cluster's own manifests name takes the place of the default."""
        own = [
            required("rancher/system-upgrade-controller:v0.14.0"),
            required("rancher/kubectl:v1"),
        ]
        self.assertEqual(self.names(known=own), ["docker.io/rancher/k3s-upgrade:v1.33.4-k3s1"])
