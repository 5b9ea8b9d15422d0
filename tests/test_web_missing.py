"""Tests for ``/minreg/missing`` as JSON and as a list."""

from urllib.parse import quote

from minreg.oci.names import Digest, parse_references
from minreg.store.tree import RegistryTree
from minreg.web.status import resources as status
from minreg.web.status.not_found import ATTEMPT_SECONDS
from tests.status_support import HOSTILE, NODE, StatusTestCase
from tests.support import ALIASES

DIGEST = str(Digest.of(b"absent"))


class NotFoundResourceTests(StatusTestCase):
    """Tests for ``NotFoundResource``."""

    def images(self) -> list[str]:
        """Return the images in the log."""
        return [entry["image"] for entry in self.request("/minreg/missing").json["missing"]]

    def lines(self) -> list[str]:
        """Return the lines of the list."""
        return self.request("/minreg/missing?format=list").body.decode().splitlines()

    def test_nothing(self) -> None:
        """At first, the log is empty."""
        self.assertEqual(self.request("/minreg/missing").json, {"missing": [], "dropped": 0})
        self.assertEqual(self.lines(), [])

    def test_json(self) -> None:
        """An entry has all fields."""
        self.request("/v2/rancher/pause/manifests/3.7?ns=quay.io", "HEAD", NODE)
        self.request("/v2/rancher/pause/manifests/3.7?ns=quay.io", headers=NODE)
        response = self.request("/minreg/missing")
        self.assertEqual(response.header("content-type"), "application/json")
        self.assertEqual(response.header("cache-control"), "no-store")
        [entry] = response.json["missing"]
        self.assertRegex(entry.pop("first"), r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertRegex(entry.pop("last"), r"Z$")
        self.assertEqual(
            entry,
            {
                "namespace": "quay.io",
                "repository": "rancher/pause",
                "reference": "3.7",
                "kind": "manifest",
                "image": "quay.io/rancher/pause:3.7",
                "count": 2,
                "attempts": 1,
                "user_agent": "containerd/v2.0.4-k3s2",
            },
        )

    def test_names(self) -> None:
        """An image has its name at the upstream registry, however it was requested."""
        for path, image in {
            f"/v2/a/b/manifests/{DIGEST}?ns=ghcr.io": f"ghcr.io/a/b@{DIGEST}",
            "/v2/busybox/manifests/1": "docker.io/library/busybox:1",
            "/v2/c/manifests/v1+k3s1?ns=bootstrap-registry.airgap": "docker.io/library/c:v1-k3s1",
            "/v2/quay.io/d/manifests/1": "quay.io/d:1",
            "/v2/quay.io/e/manifests/1?ns=bootstrap-registry.airgap": "quay.io/e:1",
            "/v2/quay.io/f/manifests/1?ns=ghcr.io": "ghcr.io/quay.io/f:1",
            "/v2/g%2Fh/manifests/1?ns=localhost:5000": "localhost:5000/g/h:1",
            "/v2/i/%6danifests/1?ns=quay.io": "quay.io/i:1",
            "http://127.0.0.1:9080/v2/j/k/manifests/1?ns=quay.io": "quay.io/j/k:1",
        }.items():
            self.request(path, headers=NODE)
            self.assertIn(image, self.images(), path)

    def test_not_in_log(self) -> None:
        """Requests for existing content, invalid names and other paths are not in the log."""
        self.tree.add_image("a", "1")
        for path in (
            "/v2/a/manifests/1",
            "/v2/a/manifests/.1",
            "/v2/A/manifests/1",
            "/v2/a/blobs/sha256:0",
            "/v2/b/tags/list",
            f"/v2/a/referrers/{DIGEST}",
            "/v2/b/manifests/1?ns=a%20b",
            "/favicon.ico",
        ):
            self.request(path, headers=NODE)
        self.assertEqual(self.images(), [])

    def test_list(self) -> None:
        """``minreg download -f -`` can read the list; what it cannot download is a comment."""
        self.request("/v2/pause/manifests/3.7?ns=quay.io", headers=NODE)
        self.request(f"/v2/pause/blobs/{DIGEST}?ns=quay.io", headers={"User-Agent": "a\tb#\xff"})
        self.request("/v2/pause/manifests/1?ns=unknown", headers={"User-Agent": "x"})
        lines = self.lines()
        self.assertEqual(len(lines), 3)
        [image] = parse_references(lines, "-")
        self.assertEqual(str(image), "quay.io/pause:3.7")
        text = "\n".join(lines)
        self.assertRegex(
            text,
            r"(?m)^quay.io/pause:3.7  # 1 time, last 20\S+Z, by containerd/v2.0.4-k3s2$",
        )
        self.assertIn(f"# blob: quay.io pause@{DIGEST}  # 1 time", text)
        self.assertIn("# unknown registry: unknown pause:1  # 1 time", text)

    def test_guesses(self) -> None:
        """A name without a registry is a comment until the second attempt."""
        self.patch(status, "time", self.clock.seconds)
        self.serve(RegistryTree(self.root, ALIASES))
        path = "/v2/random/name/manifests/1"
        for seconds in (0, ATTEMPT_SECONDS / 2):
            self.clock.advance(seconds)
            self.request(path)
            [line] = self.lines()
            self.assertTrue(
                line.startswith("# no registry named, perhaps: docker.io/random/name:1  # "),
                line,
            )
        self.clock.advance(ATTEMPT_SECONDS)
        self.request(path)
        [line] = self.lines()
        self.assertTrue(line.startswith("docker.io/random/name:1  # 3 times"), line)

    def test_formats(self) -> None:
        """The query selects the format, or else ``Accept``."""
        plain = "text/plain; charset=utf-8"
        for path, accept, media_type in (
            ("", "*/*", "application/json"),
            ("", "text/plain", plain),
            ("?format=json", "text/plain", "application/json"),
            ("?format=list", "application/json", plain),
        ):
            response = self.request(f"/minreg/missing{path}", headers={"Accept": accept})
            self.assertEqual(response.header("content-type"), media_type)
        self.assertEqual(self.request("/minreg/missing?format=xml").code, 400)

    def test_huge(self) -> None:
        """A request that is too large is not in the log."""
        for path, agent in (
            ("/v2/a/manifests/1", "x" * 100_000),
            (f"/v2/{'a' * 100_000}/manifests/1", "-"),
        ):
            response = self.request(path, headers={"User-Agent": agent})
            self.assertIn(response.code, (414, 431))
        self.assertEqual(self.images(), [])

    def test_hostile(self) -> None:
        """Invalid names are not in the log; a user agent is escaped and cut."""
        for text in HOSTILE:
            agent = text.encode().decode("latin-1").replace("\x00", "").replace("\n", "")
            self.request(f"/v2/{quote(text)}/manifests/{quote(text)}?ns=docker.io")
            self.request("/v2/real/manifests/1?ns=quay.io", headers={"User-Agent": agent})
        [entry] = self.request("/minreg/missing").json["missing"]
        self.assertEqual(entry["repository"], "real")
        self.assertLessEqual(len(entry["user_agent"]), 120)
        for line in self.lines():
            self.assertTrue(line.isprintable(), line)
            self.assertEqual(len(parse_references([line], "-")), 1)
