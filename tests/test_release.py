"""Tests for ``minreg.fill.release``."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import FillError, HostUnreachable, UpstreamRefused
from minreg.fill.progress import Event, Requesting
from minreg.fill.release import Release, Releases
from minreg.oci.names import ReferencesInvalid
from tests.canned import Canned, CannedTransport, Sent, quick_retries

CHANNELS = "https://update.k3s.io/v1-release/channels"
LIST_URL = "https://github.com/k3s-io/k3s/releases/download/v1.33.4%2Bk3s1/k3s-images.txt"
IMAGES = b"docker.io/rancher/klipper-helm:v0.9.8\ndocker.io/rancher/mirrored-pause:3.6\n"


class ReleasesTests(SynchronousTestCase):
    """Tests for ``Releases``."""

    def setUp(self) -> None:
        """Create K3s' servers in memory."""
        tag = "https://github.com/k3s-io/k3s/releases/tag/v1.33.4%2Bk3s1"
        self.answers = {
            f"{CHANNELS}/stable": Canned(302, headers={"Location": tag}),
            LIST_URL: Canned(302, headers={"Location": "https://cdn.example/list"}),
            "https://cdn.example/list": Canned(200, IMAGES),
        }
        self.transport = CannedTransport(self.answer)
        self.releases = Releases(self.transport, quick_retries(0))

    def answer(self, request: Sent) -> Canned:
        """Return the canned response."""
        return self.answers.get(request.url, Canned(404))

    def find(self, name: str) -> Release:
        """Find a release."""
        return self.releases.find(name)

    def test_channel(self) -> None:
        """A channel names a version, whose list of images is read."""
        release = self.find("stable")
        self.assertEqual(release.version, "v1.33.4+k3s1")
        self.assertEqual(release.path, "k3s/v1.33.4+k3s1.txt")
        self.assertEqual(release.content, IMAGES)
        self.assertEqual(str(release.images[1]), "docker.io/rancher/mirrored-pause:3.6")

    def test_version(self) -> None:
        """For a version no channel is requested."""
        self.assertEqual(self.find("v1.33.4+k3s1").version, "v1.33.4+k3s1")
        self.assertEqual(self.transport.sent[0].url, LIST_URL)

    def test_mirror(self) -> None:
        """Mirrors can be used instead of K3s' servers."""
        self.answers = {
            "https://mirror.example/c/v1.33": Canned(301, headers={"Location": "/hop"}),
            "https://mirror.example/hop": Canned(302, headers={"Location": "/x/v1.33.4+k3s1/"}),
            "https://mirror.example/r/v1.33.4%2Bk3s1/k3s-images.txt": Canned(200, IMAGES),
        }
        self.releases = Releases(
            self.transport,
            quick_retries(0),
            "https://mirror.example/c/",
            "https://mirror.example/r/",
        )
        self.assertEqual(self.find("v1.33").version, "v1.33.4+k3s1")

    def test_unknown_channel(self) -> None:
        """For a channel that does not exist, the error has its URL."""
        failure = self.assertRaises(UpstreamRefused, self.find, "stabel")
        self.assertIn(f"{CHANNELS}/stabel does not lead to a K3s release", str(failure))

    def test_unknown_version(self) -> None:
        """For a version that does not exist, the error has its URL."""
        failure = self.assertRaises(UpstreamRefused, self.find, "v9.9.9")
        self.assertIn("v9.9.9/k3s-images.txt cannot be downloaded (status 404)", str(failure))

    def test_requesting(self) -> None:
        """Each request is shown before it is sent."""
        events: list[Event] = []
        Releases(self.transport, quick_retries(2), show=events.append).find("stable")
        self.assertEqual(
            events,
            [
                Requesting("update.k3s.io", "the K3s release of channel stable", 3),
                Requesting("github.com", "the list of images of K3s v1.33.4+k3s1", 3),
            ],
        )

    def test_no_network(self) -> None:
        """If a server is unreachable, the error names the option for a mirror."""
        problem = "cannot find it: no network or DNS here"

        def fail(request: Sent) -> Canned:
            if request.url.startswith(self.unreachable):
                raise HostUnreachable(problem, "proxy: https_proxy")
            return self.answer(request)

        self.releases = Releases(CannedTransport(fail), quick_retries(0))
        for self.unreachable, option in (
            (CHANNELS, "--channel-url"),
            ("https://github.com/", "--release-url"),
        ):
            failure = self.assertRaises(HostUnreachable, self.find, "stable")
            self.assertEqual(str(failure), f"{problem} (proxy: https_proxy; mirror: {option})")

    def test_endless(self) -> None:
        """Redirects without end are refused."""
        self.answers[f"{CHANNELS}/x"] = Canned(302, headers={"Location": f"{CHANNELS}/x"})
        self.assertRaises(UpstreamRefused, self.find, "x")

    def test_no_name(self) -> None:
        """Text that is neither a version nor a channel is refused."""
        for name in ("", "../x", "a/b", "v1.33.4/../x"):
            failure = self.assertRaises(FillError, self.find, name)
            self.assertIn(
                "is neither a version of K3s, such as v1.33.4+k3s1, nor a channel", str(failure)
            )

    def test_no_list(self) -> None:
        """A list of images that is invalid or too large is refused."""
        for body, kind in (
            (b"<html>", ReferencesInvalid),
            (b"\xff", FillError),
            (b"#" * 2_000_000, UpstreamRefused),
        ):
            self.answers[LIST_URL] = Canned(200, body)
            self.assertRaises(kind, self.find, "stable")
