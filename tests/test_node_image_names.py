"""Tests for ``minreg.k3s.registries.containerd``."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.registries.containerd import ImageName
from minreg.oci.names import DigestInvalid, NameInvalid

DIGEST = f"sha256:{'0' * 64}"


class ImageNameTests(SynchronousTestCase):
    """Tests for ``ImageName.parse``."""

    def test_names(self) -> None:
        """Names are completed as containerd's are."""
        for text, expected in (
            ("busybox", "docker.io/library/busybox:latest"),
            ("rancher/pause:3.6", "docker.io/rancher/pause:3.6"),
            ("docker.io/busybox", "docker.io/library/busybox:latest"),
            ("index.docker.io/busybox", "docker.io/library/busybox:latest"),
            ("quay.io/a", "quay.io/a:latest"),
            ("example.com:443/a/b:1", "example.com:443/a/b:1"),
            ("localhost/a", "localhost/a:latest"),
            ("[::1]:5000/a:1", "[::1]:5000/a:1"),
            (f"a:1@{DIGEST}", f"docker.io/library/a@{DIGEST}"),
        ):
            self.assertEqual(str(ImageName.parse(text)), expected)

    def test_invalid(self) -> None:
        """What the kubelet would refuse is refused."""
        for text in ("", "A", "a:", "a:b:c", "quay.io/", "quay.io//a", "a:-"):
            self.assertRaises(NameInvalid, ImageName.parse, text)
        self.assertRaises(DigestInvalid, ImageName.parse, "a@sha256:0")
