"""Tests for ``minreg.oci.names``."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.oci.names import (
    Digest,
    DigestInvalid,
    NameInvalid,
    is_host,
    parse_host,
    parse_reference,
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
