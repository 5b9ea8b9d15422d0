"""Tests for the content of the pages."""

import os

from minreg.oci.names import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Digest
from minreg.store.tree import RegistryTree
from minreg.web.status.context import StatusOptions
from tests.page_support import PageTestCase, ShownPage
from tests.status_support import NODE
from tests.support import ALIASES
from tests.trees import descriptor, index

ARM = {"os": "linux", "architecture": "arm", "variant": "v7"}
AMD64 = {"os": "linux", "architecture": "amd64"}


class HomeTests(PageTestCase):
    """Tests for the list of repositories."""

    def test_empty(self) -> None:
        """The page of an empty registry explains how to fill it."""
        page = self.show("/")
        self.assertIn(
            "This registry is empty. Fill its directory in one of these ways:", page.text
        )
        self.assertNotIn("table", page.elements)
        self.options = StatusOptions(ALIASES, root="/srv/a registry")
        self.serve(RegistryTree(self.root, ALIASES))
        page = self.show("/")
        self.assertIn("Fill /srv/a registry in one of these ways:", page.text)
        for command in (
            "minreg import --directory '/srv/a registry' k3s-airgap-images-amd64.tar.zst",
            "minreg download --version stable --platform linux/amd64",
            "tar -xzf registry-content.tar.gz -C '/srv/a registry'",
            "minreg sample '/srv/a registry'",
        ):
            self.assertIn(command, page.pastes)
        self.assertIn("There are no more repositories.", self.show("/?after=a").text)

    def test_row(self) -> None:
        """A row has tags, platforms, a size, a date and links."""
        self.tree.add_image("rancher/pause", "3.6")
        os.utime(self.tree.path("rancher/pause", "manifests"), (86400, 86400))
        page = self.show("/")
        self.assertRegex(page.text, r"rancher/pause 3\.6 amd64 \d+ B 1970-01-02 00:00")
        self.assertEqual(page.links["rancher/pause"], "/minreg/images/rancher/pause")
        self.assertEqual(page.links["3.6"], "/minreg/images/rancher/pause:3.6")

    def test_many_tags(self) -> None:
        """If there are many tags, the newest versions are shown."""
        digest = self.tree.add_image("a")
        for tag in ("1.8", "1.9", "1.10", "1.10-rc1", "1.11", "latest"):
            self.tree.add_tag("a", tag, digest)
        self.assertIn("a 1.111.101.10-rc11.9and 2 more amd64", self.show("/").text)

    def test_incomplete(self) -> None:
        """An incomplete repository is marked."""
        self.tree.add_image("a", "1", b"layer")
        os.unlink(self.tree.path("blobs", str(Digest.of(b"layer"))))
        self.assertIn("a lacks 1 blob 1 amd64", self.show("/").text)
        self.tree.write(b"no JSON", "a", "manifests", "2")
        self.assertIn("a lacks 1 blob, 1 broken manifest 21 amd64", self.show("/").text)

    def test_unreadable(self) -> None:
        """A repository that must not be read is listed, and the log has the reason."""
        self.tree.link_out("a")
        self.assertIn("a cannot be read: see the log", self.show("/").text)
        [logged] = self.logged("content_invalid")
        self.assertIn("leads out of the root", logged["reason"])

    def test_pages(self) -> None:
        """Many repositories are on several pages, each with a link to the next."""
        names = [f"r{number:03d}" for number in range(120)]
        for name in names:
            self.tree.add_repository(name)
        path, listed = "/", []
        for _ in range(3):
            page = self.show(path)
            listed += [text for text in page.links if text.startswith("r")]
            path = page.links.get("Next →", "")
        self.assertEqual((listed, path), (names, ""))
        self.assertEqual(page.links["← First"], "/")

    def test_search(self) -> None:
        """A search finds the names with all words, and the form keeps its text."""
        for name in ("rancher/pause", "rancher/coredns", "quay.io/pause"):
            self.tree.add_repository(name)
        page = self.show("/?q=Pause+rancher")
        self.assertIn("rancher/pause", page.links)
        self.assertNotIn("quay.io/pause", page.links)
        self.assertIn(("value", "Pause rancher"), page.attributes)
        self.assertIn("No repository has “zz” in its name.", self.show("/?q=zz").text)


class RepositoryPageTests(PageTestCase):
    """Tests for the page of a repository."""

    def test_tags(self) -> None:
        """A tag has its platforms, its digest and its size."""
        image = self.tree.add_image("a")
        absent = descriptor(OCI_MANIFEST, Digest.of(b"absent"), 1, platform=ARM)
        here = descriptor(OCI_MANIFEST, image, 1, platform=AMD64)
        digest = self.tree.add_manifest("a", index([here, absent]), "1.0")
        page = self.show("/minreg/images/a")
        self.assertRegex(page.text, rf"1\.0 amd64not stored: arm/v7 {digest.encoded[:12]} \d+ B")
        self.assertEqual(page.links["1.0"], "/minreg/images/a:1.0")

    def test_pages(self) -> None:
        """Many tags are on several pages."""
        digest = self.tree.add_image("a")
        for number in range(70):
            self.tree.add_tag("a", f"1.{number}", digest)
        page = self.show("/minreg/images/a")
        self.assertEqual(page.links["Next →"], "/minreg/images/a?after=1.20")
        tags = [text for text in page.links if text.startswith("1.")]
        self.assertEqual(tags, [f"1.{number}" for number in range(69, 19, -1)])
        page = self.show(page.links["Next →"])
        tags = [text for text in page.links if text.startswith("1.")]
        self.assertEqual(tags, [f"1.{number}" for number in range(19, -1, -1)])
        self.assertEqual(page.links["← First"], "/minreg/images/a")

    def test_dates(self) -> None:
        """A tag has the date in its config or, marked, that of its file."""
        digest = self.tree.add_image("a", "1")
        os.utime(self.tree.path("a", "manifests", str(digest)), (86400, 86400))
        config = b'{"os": "linux", "architecture": "amd64", "created": "2024-10-08T12:13:14Z"}'
        dated = descriptor(OCI_CONFIG, self.tree.add_blob(config), len(config))
        self.tree.add_manifest("a", self.tree.image(config=dated), "2")
        page = self.show("/minreg/images/a")
        self.assertRegex(page.text, r"2 amd64 \w+ \d+ B 2024-10-08 12:13 1 amd64")
        self.assertRegex(page.text, r"1 amd64 \w+ \d+ B stored 1970-01-02 00:00")
        self.assertIn("Created 2024-10-08 12:13", self.show("/minreg/images/a:2").text)
        self.assertIn("Stored 1970-01-02 00:00", self.show("/minreg/images/a:1").text)

    def test_invalid_manifest(self) -> None:
        """A tag whose manifest is invalid has neither a digest nor a date."""
        self.tree.add_repository("a")
        self.tree.write(b"no JSON", "a", "manifests", "1")
        self.assertRegex(self.show("/minreg/images/a").text, r" 1 incomplete +0 B Created is")

    def test_many_platforms(self) -> None:
        """Of many platforms, six are shown."""
        platforms = [{"os": "linux", "architecture": f"x{number}"} for number in range(8)]
        child = self.tree.add_image("a")
        children = [descriptor(OCI_MANIFEST, child, 1, platform=platforms[0])]
        children += [
            descriptor(OCI_MANIFEST, Digest.of(b"%d" % number), 1, platform=platform)
            for number, platform in enumerate(platforms[1:])
        ]
        self.tree.add_manifest("a", index(children), "1")
        self.assertIn("not stored: x1x2x3x4x5x6and 1 more", self.show("/minreg/images/a").text)

    def test_no_tags(self) -> None:
        """A repository may have no tags."""
        self.tree.add_image("a")
        self.assertIn("No tags.", self.show("/minreg/images/a").text)


class ImagePageTests(PageTestCase):
    """Tests for the page of an image."""

    def test_complete(self) -> None:
        """The page has digests, layers and commands."""
        self.tree.add_image("rancher/pause", "3.6", b"layer")
        page = self.show("/minreg/images/rancher/pause:3.6")
        self.assertIn("Complete: all manifests, configs and layers are stored.", page.text)
        self.assertRegex(page.text, rf"layer {Digest.of(b'layer').encoded[:12]} \S+ 5 B")
        image = "localhost/rancher/pause:3.6"
        skopeo, *commands = page.pastes[:4]
        self.assertEqual(
            skopeo, f"skopeo copy --src-tls-verify=false docker://{image} oci-archive:pause.tar"
        )
        self.assertEqual(
            commands,
            [
                f"ctr images pull --plain-http {image}",
                f"docker pull {image}",
                "crictl pull bootstrap-registry.airgap/rancher/pause:3.6",
            ],
        )
        self.assertRegex(
            page.pastes[4],
            "^crictl pull bootstrap-registry.airgap/rancher/pause@sha256:[0-9a-f]{64}$",
        )
        self.assertEqual(
            page.pastes[5],
            'mirrors:\n  "bootstrap-registry.airgap":\n    endpoint:\n      - "http://localhost"',
        )

    def test_kept_by_host(self) -> None:
        """An image that is stored below its host is pulled under that name."""
        digest = self.tree.add_image("quay.io/a/b", "1")
        page = self.show(f"/minreg/images/quay.io/a/b@{digest}")
        self.assertEqual(page.pastes[2], f"docker pull localhost/quay.io/a/b@{digest}")
        self.assertEqual(page.pastes[3], f"crictl pull quay.io/a/b@{digest}")
        self.assertIn('  "quay.io":', page.pastes[4])

    def show_at(self, host: str) -> ShownPage:
        """Request the page of an image with a header field ``Host``."""
        self.tree.add_repository("a")
        response = self.browse("/minreg/images/a:1", Host=host)
        return ShownPage(response.body.decode())

    def test_address(self) -> None:
        """The first commands have the address that the browser used."""
        self.tree.add_image("a", "1")
        for host, image_host in (
            ("node1.example:9080", "node1.example:9080"),
            ("10.0.0.7:9080", "10.0.0.7:9080"),
            # Without a dot or a port, Docker takes a name for a part of the path.
            ("node1", "node1:80"),
        ):
            page = self.show_at(host)
            self.assertEqual(page.pastes[2], f"docker pull {image_host}/a:1")
            self.assertEqual(page.pastes[3], f'{{"insecure-registries": ["{image_host}"]}}')
            self.assertIn(
                "Docker pulls without TLS only with this in /etc/docker/daemon.json", page.text
            )
            self.assertIn(f'- "http://{host}"', page.pastes[-1])

    def test_loopback(self) -> None:
        """Docker needs no setting for a registry on its own machine."""
        self.tree.add_image("a", "1")
        for host in ("localhost:9080", "127.0.0.1:9080", "127.1.2.3", "[::1]:9080"):
            self.assertEqual(self.show_at(host).pastes[2], f"docker pull {host}/a:1")
            self.assertNotIn("insecure-registries", self.show_at(host).text)

    def test_incomplete(self) -> None:
        """A missing layer is listed as a problem, and marked in the table."""
        self.tree.add_image("a", "1", b"layer")
        digest = Digest.of(b"layer")
        os.unlink(self.tree.path("blobs", str(digest)))
        page = self.show("/minreg/images/a:1")
        self.assertIn(f"layer {digest} is missing", page.text)
        self.assertIn(f"layer {digest.encoded[:12]} missing", page.text)

    def test_many_layers(self) -> None:
        """Of many layers, the first ones are shown."""
        layer = descriptor(OCI_LAYER, self.tree.add_blob(b"layer"), 5)
        self.tree.add_manifest("a", self.tree.image(layers=[layer] * 600), "1")
        self.assertIn("and 101 more", self.show("/minreg/images/a:1").text)

    def test_invalid_layers(self) -> None:
        """An image with invalid descriptors is incomplete."""
        layer = {"mediaType": OCI_LAYER, "digest": str(Digest.of(b"absent")), "size": 7}
        for number, (key, value, reason) in enumerate(
            (
                ("mediaType", None, "layers[0] has no media type"),
                ("mediaType", "<x>", "layers[0] has no media type"),
                ("size", -1, "layers[0] has no size"),
                ("digest", "md5:0", "layers[0]: 'md5:0' is not a digest"),
            )
        ):
            image = self.tree.image(layers=[{**layer, key: value}, "odd"])
            digest = self.tree.add_manifest("a", image, f"t{number}")
            page = self.show(f"/minreg/images/a:t{number}")
            self.assertNotIn("Complete", page.text)
            self.assertIn(f"manifest {digest} is malformed: {reason}", page.text)
            self.assertIn(", and 1 more like that", page.text)
            self.assertIn(f"t{number} incomplete", self.show("/minreg/images/a").text)

    def test_invalid_subject(self) -> None:
        """An invalid subject does not make an image incomplete."""
        self.tree.add_manifest("a", self.tree.image(subject={"digest": "x"}), "1")
        self.assertIn("Complete: all manifests", self.show("/minreg/images/a:1").text)

    def test_sparse(self) -> None:
        """Platforms of the index that are not stored are listed."""
        here = descriptor(OCI_MANIFEST, self.tree.add_image("a"), 1, platform=AMD64)
        absent = descriptor(OCI_MANIFEST, Digest.of(b"absent"), 1, platform=ARM)
        self.tree.add_manifest("a", index([here, absent]), "1")
        page = self.show("/minreg/images/a:1")
        self.assertIn("linux/amd64", page.text)
        self.assertIn("Not stored: linux/arm/v7, which the index also lists.", page.text)

    def test_artifact(self) -> None:
        """An artifact has no commands of container runtimes."""
        kind = "application/vnd.cncf.helm.config.v1+json"
        config = descriptor(kind, self.tree.add_blob(b"{}"), 2)
        self.tree.add_manifest("charts/a", self.tree.image(config=config), "1")
        page = self.show("/minreg/images/charts/a:1")
        skopeo, *others = page.pastes
        self.assertIn("docker://localhost/charts/a:1 oci-archive:a.tar", skopeo)
        self.assertEqual(others, ["oras pull --plain-http localhost/charts/a:1"])
        self.assertIn(f"Content {kind}", page.text)

    def test_referrers(self) -> None:
        """Referrers, such as signatures, are listed with their annotations."""
        subject = self.tree.add_image("a", "1")
        fingerprint = self.tree.add_manifest(
            "a",
            self.tree.image(
                b"signature",
                artifactType="application/x-signature",
                subject=descriptor(OCI_MANIFEST, subject, 1),
                annotations={"signed.by": "somebody"},
            ),
        )
        page = self.show("/minreg/images/a:1")
        self.assertIn("Referrers application/x-signature", page.text)
        self.assertIn("signed.by somebody", page.text)
        self.assertIn("linux/amd64", page.text)
        target = page.links["application/x-signature"]
        self.assertEqual(target, f"/minreg/images/a@{fingerprint}")
        self.assertIn(str(fingerprint), self.show(target).text)

    def test_generated(self) -> None:
        """A list of referrers that minreg generates has no date."""
        subject = self.tree.add_image("a", "1")
        about = descriptor(OCI_MANIFEST, subject, 1)
        self.tree.add_manifest("a", self.tree.image(b"signature", subject=about))
        page = self.show(f"/minreg/images/a:{str(subject).replace(':', '-')}")
        self.assertIn("Media type application/vnd.oci.image.index.v1+json", page.text)
        self.assertNotIn("Created", page.text)
        self.assertNotIn("Stored", page.text)


class ElsewhereTests(PageTestCase):
    """Tests for pages on another site than the registry."""

    options = StatusOptions(ALIASES, is_elsewhere=True)

    def test_endpoint(self) -> None:
        """The commands have the address of the registry, not of the page."""
        self.tree.add_image("a", "1")
        for url, shown in (("", "http://127.0.0.1:9080"), ("https://[::1]:5000",) * 2):
            self.registry.url = url
            page = self.show("/minreg/images/a:1")
            self.assertIn(f'- "{shown}"', page.pastes[-1])
            option = " --plain-http" if shown.startswith("http:") else ""
            host = shown.partition("://")[2]
            self.assertEqual(page.pastes[1], f"ctr images pull{option} {host}/a:1")
            self.assertEqual("tls-verify" in page.pastes[0], bool(option))


class NotFoundPageTests(PageTestCase):
    """Tests for the page with the not-found log."""

    def test_nothing(self) -> None:
        """At first, the log is empty."""
        self.assertIn("All requested images were found", self.show("/minreg/missing").text)

    def test_entries(self) -> None:
        """Entries are listed, and each page has their number."""
        self.request("/v2/a/manifests/1?ns=quay.io", headers=NODE)
        digest = Digest.of(b"x")
        self.request(f"/v2/b/blobs/{digest}", headers=NODE)
        page = self.show("/minreg/missing")
        self.assertRegex(page.text, r"quay\.io/a:1 1 × 20\S+ \S+ 20\S+ \S+ containerd/v2")  # noqa: RUF001
        self.assertIn(f"b@sha256:{digest.encoded[:12]}… blob", page.text)
        self.assertEqual(page.pastes[0], "minreg missing --url http://localhost > missing.txt")
        self.assertIn("Not found 2", self.show("/").text)

    def test_formats(self) -> None:
        """A browser can request the other formats."""
        for text in ("list", "json"):
            response = self.browse(f"/minreg/missing?format={text}")
            self.assertNotIn("text/html", response.headers["content-type"])
