"""Tests for ``minreg.oci.names``."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.oci.names import (
    Digest,
    DigestInvalid,
    ImageReference,
    NameInvalid,
    ReferencesInvalid,
    parse_references,
)

DIGEST = Digest.of(b"x")


class ImageReferenceTests(SynchronousTestCase):
    """Tests for ``ImageReference``."""

    def test_short_names(self) -> None:
        """A name without a host is one of Docker Hub."""
        for text, full in {
            "busybox": "docker.io/library/busybox:latest",
            "busybox:1.36": "docker.io/library/busybox:1.36",
            "rancher/pause:3.6": "docker.io/rancher/pause:3.6",
            "docker.io/busybox": "docker.io/library/busybox:latest",
            "index.docker.io/a/b": "docker.io/a/b:latest",
            "localhost/x": "localhost/x:latest",
            "localhost:5000/x": "localhost:5000/x:latest",
            "localhost:5000/x:1": "localhost:5000/x:1",
            "Example.COM/a/b:1": "example.com/a/b:1",
            "[::1]:5000/x": "[::1]:5000/x:latest",
            "localhost:443/x": "localhost:443/x:latest",
            "Quay.io:80/a/b:1": "quay.io:80/a/b:1",
            "registry-1.docker.io:443/busybox": "docker.io/library/busybox:latest",
            f"busybox@{DIGEST}": f"docker.io/library/busybox@{DIGEST}",
            f"quay.io/a/b:1@{DIGEST}": f"quay.io/a/b:1@{DIGEST}",
        }.items():
            self.assertEqual(str(ImageReference.parse(text)), full)

    def test_what_is_asked_for(self) -> None:
        """With a digest, the digest is requested, and the tag is only set."""
        image = ImageReference.parse(f"quay.io/a/b:1@{DIGEST}")
        self.assertEqual((image.reference, image.tag), (str(DIGEST), "1"))
        self.assertEqual(ImageReference.parse("quay.io/a/b:1").reference, "1")

    def test_place(self) -> None:
        """The host is left out of the path, unless it is to be kept."""
        image = ImageReference.parse("localhost:5000/a/b:1")
        self.assertEqual(image.repository_path(trimmed=True), "a/b")
        self.assertEqual(image.repository_path(trimmed=False), "localhost:5000/a/b")

    def test_port(self) -> None:
        """A default port is used for requests, and is not part of the registry's name."""
        for text, address, host in (
            ("quay.io:443/a/b", "quay.io:443", "quay.io"),
            ("localhost:80/a/b", "localhost:80", "localhost"),
            ("quay.io:8443/a/b", "quay.io:8443", "quay.io:8443"),
            ("quay.io/a/b", "quay.io", "quay.io"),
        ):
            image = ImageReference.parse(text)
            self.assertEqual((image.address, image.host), (address, host))
            self.assertEqual(image.repository_path(trimmed=False), f"{host}/a/b")

    def test_malformed(self) -> None:
        """Text that is not an image name is refused."""
        for text in ("", ":1", "a:", "a:b:c", "A/b", "a//b", "a/b:-1", "../a", "a b", "a@"):
            self.assertRaises((NameInvalid, DigestInvalid), ImageReference.parse, text)

    @given(st.text())
    def test_anything(self, text: str) -> None:
        """Any text is refused, or has the same meaning when it is written and parsed again."""
        try:
            image = ImageReference.parse(text)
        except (NameInvalid, DigestInvalid):
            return
        self.assertEqual(ImageReference.parse(str(image)), image)


class ParseReferencesTests(SynchronousTestCase):
    """Tests for ``parse_references``."""

    def test_list(self) -> None:
        """Blank lines and comments are left out."""
        lines = ["# images\n", "\n", "  busybox:1  # small\n", "quay.io/a:2\r\n"]
        self.assertEqual(
            [str(image) for image in parse_references(lines, "list")],
            ["docker.io/library/busybox:1", "quay.io/a:2"],
        )

    def test_malformed_lines(self) -> None:
        """Every malformed line is reported, with its file and number."""
        lines = ["busybox", "a b", "", "a@sha256:1"]
        failure = self.assertRaises(ReferencesInvalid, parse_references, lines, "images.txt")
        first, second = str(failure).splitlines()
        self.assertTrue(first.startswith("images.txt:2: 'a b' is not an image name: "))
        self.assertTrue(second.startswith("images.txt:4: 'a@sha256:1' is not an image name: "))
