"""Tests for ``minreg.oci.names``."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.oci import names as media_types
from minreg.oci.names import (
    Digest,
    DigestInvalid,
    ImageReference,
    NameInvalid,
    ReferencesInvalid,
    is_host,
    is_media_type,
    is_repository,
    is_tag,
    parse_host,
    parse_reference,
    parse_references,
    parse_repository,
)

SHA256 = "sha256:" + "0123456789abcdef" * 4
SHA512 = "sha512:" + "0123456789abcdef" * 8


class DigestTests(SynchronousTestCase):
    """Tests for ``Digest``."""

    def test_algorithms(self) -> None:
        """The two algorithms that every client implements are parsed."""
        self.assertEqual(Digest.parse(SHA256), Digest("sha256", SHA256[7:]))
        self.assertEqual(Digest.parse(SHA512), Digest("sha512", SHA512[7:]))
        self.assertEqual(str(Digest.parse(SHA512)), SHA512)

    def test_what_is_no_digest(self) -> None:
        """Anything else is refused, with a sentence that says what a digest is."""
        for text in (
            "",
            "sha256",
            "sha256:",
            SHA256[:-1],
            SHA256 + "0",
            SHA256 + "\n",
            SHA256.upper(),
            SHA256.replace("a", "A"),
            SHA256.replace("a", "g"),
            SHA256.replace("0", "\u0660"),
            SHA256.replace("sha256", "sha512"),
            SHA512.replace("sha512", "sha256"),
            "md5:d41d8cd98f00b204e9800998ecf8427e",
            f"../{SHA256}",
            f"{SHA256}/..",
        ):
            error = self.assertRaises(DigestInvalid, Digest.parse, text)
            self.assertIn("is not a digest: it is sha256: and 64, or sha512: and 128", str(error))

    def test_long_text(self) -> None:
        """A long text is cut in the error."""
        error = self.assertRaises(DigestInvalid, Digest.parse, "x" * 100_000)
        self.assertLess(len(str(error)), 300)

    def test_of_content(self) -> None:
        """The digest of content is correct."""
        self.assertEqual(
            str(Digest.of(b"")),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        )
        self.assertEqual(
            str(Digest.of(b"", "sha512")),
            "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
            "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
        )

    def test_order(self) -> None:
        """Digests are ordered like their text."""
        digests = [Digest.parse(SHA512), Digest.of(b"b"), Digest.of(b"a")]
        self.assertEqual([str(d) for d in sorted(digests)], sorted(map(str, digests)))


class RepositoryNameTests(SynchronousTestCase):
    """Tests for the names of repositories."""

    def test_names(self) -> None:
        """Names that the specification allows are accepted."""
        for name in (
            "a",
            "0",
            "rancher/mirrored-pause",
            "docker.io/library/busybox",
            "a.b_c__d-e--f---g/h",
            "v2/blobs/manifests/tags/list",
            "a/blobs",
            "x" * 255,
        ):
            self.assertEqual(parse_repository(name), name)

    def test_what_is_no_name(self) -> None:
        """Anything else is refused, with a sentence that says what a name is."""
        for name in (
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            ".",
            "..",
            "a/../b",
            "a..b",
            "a___b",
            "a._b",
            "-a",
            "a-",
            "A",
            "a/B",
            "a:b",
            "a@b",
            "a b",
            "a\\b",
            "a\0b",
            "a\n",
            "\u00e4",
            "\u0661",
            "x" * 256,
        ):
            error = self.assertRaises(NameInvalid, parse_repository, name)
            self.assertIn("is not a repository name: it has lower-case letters", str(error))


class ReferenceTests(SynchronousTestCase):
    """Tests for ``parse_reference``."""

    def test_tags(self) -> None:
        """Tags that the specification allows are accepted."""
        for tag in ("latest", "3.6", "_", "V1.30.1-k3s1", "a" * 128, "sha256-0a.sig"):
            self.assertEqual(parse_reference(tag), tag)

    def test_release(self) -> None:
        """A ``+`` in the version of a K3s release is read as ``-``."""
        self.assertEqual(parse_reference("v1.30.1+k3s1"), "v1.30.1-k3s1")

    def test_digest(self) -> None:
        """Text with a colon is a digest."""
        self.assertEqual(parse_reference(SHA256), Digest.parse(SHA256))
        self.assertRaises(DigestInvalid, parse_reference, "latest:1")
        self.assertRaises(DigestInvalid, parse_reference, ":")

    def test_what_is_no_tag(self) -> None:
        """Anything else is refused, with a sentence that says what a tag is."""
        for tag in ("", ".", "..", "-a", "+a", "a/b", "a\0", "a\n", "a b", "\u00e4", "a" * 129):
            error = self.assertRaises(NameInvalid, parse_reference, tag)
            self.assertIn("is not a tag: it has up to 128 letters", str(error))


class HostTests(SynchronousTestCase):
    """Tests for the hosts of registries."""

    def test_one_spelling(self) -> None:
        """All spellings of a host are normalized to one."""
        for text, host in (
            ("quay.io", "quay.io"),
            ("Quay.IO", "quay.io"),
            ("quay.io:443", "quay.io"),
            ("quay.io:80", "quay.io"),
            ("quay.io:5000", "quay.io:5000"),
            ("quay.io:4430", "quay.io:4430"),
            ("docker.io", "docker.io"),
            ("index.docker.io", "docker.io"),
            ("registry-1.docker.io", "docker.io"),
            ("Registry-1.Docker.io:443", "docker.io"),
            ("bootstrap-registry.airgap", "bootstrap-registry.airgap"),
            ("registry", "registry"),
            ("127.0.0.1:9080", "127.0.0.1:9080"),
            ("[::1]:5000", "[::1]:5000"),
            ("[FE80::80]", "[fe80::80]"),
        ):
            self.assertEqual(parse_host(text), host)

    def test_what_is_no_host(self) -> None:
        """Anything else is refused, with a sentence that says what a host is."""
        for text in (
            "",
            ".",
            "..",
            "a..b",
            "a.",
            ".a",
            "-a",
            "a-",
            "a_b",
            "a/b",
            "https://a",
            "a:",
            "a:b",
            "a:123456",
            "a:1:2",
            "[]",
            "[::1",
            "::1",
            "a\n",
            "a\0",
            "\u00e4.de",
            "a" * 256,
        ):
            error = self.assertRaises(NameInvalid, parse_host, text)
            self.assertIn("is not a registry host: it is a host name or address", str(error))

    def test_letters_that_fold_to_others(self) -> None:
        """The Kelvin sign is not a letter of a host, although its lower case is ``k``."""
        self.assertRaises(NameInvalid, parse_host, "quay.\u212a8s")
        self.assertFalse(is_host("registry.\u212a8s.io"))

    def test_first_part(self) -> None:
        """The first part of a name is a host by the rule of image references."""
        for host in ("docker.io", "localhost", "localhost:5000", "registry:5000", "[::1]"):
            self.assertTrue(is_host(host), host)
        for part in ("rancher", "library", "", ".", "a..b", "a_b.c", "v2", "a." + "b" * 255):
            self.assertFalse(is_host(part), part)


HOSTILE = st.text(
    st.one_of(st.sampled_from("a0A./:_-+[]%\\\0\n\u212a\u017f@ "), st.characters()), max_size=300
)
"""Text that is more often than not close to a name."""


class HostileNameTests(SynchronousTestCase):
    """Tests that text which matches a grammar is harmless as a part of a path."""

    @settings(deadline=None, database=None)
    @given(HOSTILE)
    def test_repository(self, text: str) -> None:
        """A repository's name has no ``..``, is relative, and has only plain characters."""
        if is_repository(text):
            self.assertRegex(text, r"\A[a-z0-9._/-]{1,255}\Z")
            self.assertFalse({"", ".", ".."} & set(text.split("/")))

    @settings(deadline=None, database=None)
    @given(HOSTILE)
    def test_reference(self, text: str) -> None:
        """A tag or digest is one plain part of a path."""
        try:
            reference = str(parse_reference(text))
        except (NameInvalid, DigestInvalid):
            return
        self.assertRegex(reference, r"\A[A-Za-z0-9_][A-Za-z0-9._:-]{0,134}\Z")

    @settings(deadline=None, database=None)
    @given(HOSTILE)
    def test_host(self, text: str) -> None:
        """A host is one plain part of a path, and normalizing it again changes nothing."""
        try:
            host = parse_host(text)
        except NameInvalid:
            self.assertFalse(is_host(text))
            return
        self.assertRegex(host, r"\A[a-z0-9\[][a-z0-9.:\[\]-]{0,254}\Z")
        self.assertNotEqual(host.strip("."), "")
        self.assertEqual(parse_host(host), host)

    @settings(deadline=None, database=None)
    @given(HOSTILE)
    def test_tag(self, text: str) -> None:
        """A tag is never parsed as a digest, nor a digest as a tag."""
        if is_tag(text):
            self.assertEqual(parse_reference(text), text)
            self.assertRaises(DigestInvalid, Digest.parse, text)


class MediaTypeTests(SynchronousTestCase):
    """Tests for the media types."""

    def test_literals(self) -> None:
        """The media types are those of the specifications, letter by letter."""
        self.assertEqual(
            media_types.INDEXES,
            {
                "application/vnd.oci.image.index.v1+json",
                "application/vnd.docker.distribution.manifest.list.v2+json",
            },
        )
        self.assertEqual(
            media_types.MANIFESTS,
            {
                "application/vnd.oci.image.manifest.v1+json",
                "application/vnd.oci.artifact.manifest.v1+json",
                "application/vnd.docker.distribution.manifest.v2+json",
            },
        )
        self.assertEqual(
            media_types.DOCKER_SCHEMA_1,
            {
                "application/vnd.docker.distribution.manifest.v1+json",
                "application/vnd.docker.distribution.manifest.v1+prettyjws",
            },
        )
        self.assertEqual(media_types.OCI_CONFIG, "application/vnd.oci.image.config.v1+json")
        self.assertEqual(media_types.OCI_LAYER, "application/vnd.oci.image.layer.v1.tar")
        self.assertEqual(media_types.OCI_EMPTY, "application/vnd.oci.empty.v1+json")
        self.assertEqual(
            media_types.DOCKER_CONFIG, "application/vnd.docker.container.image.v1+json"
        )
        self.assertEqual(media_types.DOCKER_LAYER, "application/vnd.docker.image.rootfs.diff.tar")

    def test_grammar(self) -> None:
        """A media type has two names and no parameters."""
        for text in (media_types.OCI_INDEX, "a/b", "text/x!#$&^_.+-y", f"{'a' * 127}/b"):
            self.assertTrue(is_media_type(text), text)
        for text in (
            "",
            "a",
            "/",
            "a/",
            "/b",
            "a/b/c",
            "a/b; charset=utf-8",
            "a/b\r\nX: y",
            "a /b",
            "+a/b",
            "\u00e4/b",
            f"{'a' * 128}/b",
        ):
            self.assertFalse(is_media_type(text), text)

    @settings(deadline=None, database=None)
    @given(st.text(st.sampled_from('aZ0/;+. \r\n\0"\u00e4'), max_size=12))
    def test_fit_for_headers(self, text: str) -> None:
        """A valid media type can be sent in a header unchanged."""
        if is_media_type(text):
            self.assertTrue(text.isascii())
            self.assertTrue(text.isprintable())
            self.assertNotIn(" ", text)


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

    def test_url(self) -> None:
        """A URL is not an image name; the error says what to leave out."""
        error = self.assertRaises(NameInvalid, ImageReference.parse, "https://quay.io/a/b:1")
        self.assertIn("no https:// before its name: leave it out", str(error))

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
