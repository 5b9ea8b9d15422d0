"""What networks and registries do to a download, with a real registry behind a proxy."""

import os
import subprocess
import sys
import time
from threading import Event as Signal

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.download import Download, Network
from minreg.fill.progress import Event, ImageEnded, Summary
from minreg.fill.resolve import Selection
from minreg.fill.tree.writer import TreeWriter
from minreg.fill.upstream.registry import Upstreams
from minreg.fill.upstream.retries import Retries
from minreg.fill.upstream.transport import Transport
from minreg.oci.names import Digest, ImageReference
from minreg.store.tree import RegistryTree
from tests.e2e.fault_proxy import PIECE, Fault, FaultProxy, Resolution
from tests.e2e.real_registry import Layout, start_registry

_SILENCE = 0.5


def status(code: int, **headers: str) -> Fault:
    """Answer with a status instead."""

    def fault(answer: Resolution) -> None:
        answer.status, answer.body = code, b"not now"
        answer.headers.update(headers)

    return fault


def cut(answer: Resolution) -> None:
    """End the connection in the middle of the body."""
    answer.cut_at = len(answer.body) // 2


def reset(answer: Resolution) -> None:
    """Let the connection break in the middle of the body."""
    answer.reset_at = len(answer.body) // 2


def stall(answer: Resolution) -> None:
    """Go silent in the middle of the body."""
    answer.stall_at = len(answer.body) // 2


def break_early(answer: Resolution) -> None:
    """Let the connection break, but not before something came."""
    answer.reset_at = min(len(answer.body), 40_000)


def slow(answer: Resolution) -> None:
    """Send a body as a slow line does."""
    answer.pause = 0.1


def wrong_bytes(answer: Resolution) -> None:
    """Change a byte."""
    answer.body = b"\0" + answer.body[1:]


def too_long(answer: Resolution) -> None:
    """Send more than there is."""
    answer.body += b"more"


def too_short(answer: Resolution) -> None:
    """Send less than there is, as if that were all."""
    answer.body = answer.body[:-5]


class FaultTests(SynchronousTestCase):
    """Tests for a download through ``FaultProxy``."""

    def setUp(self) -> None:
        """Start a registry with one image, and the proxy."""
        self.directory = os.path.abspath(self.mktemp())
        self.registry = start_registry(os.path.join(self.directory, "upstream"))
        self.addCleanup(self.registry.stop)
        layout = Layout(os.path.join(self.directory, "layout"))
        layout.write_index([layout.write_image("amd64", [os.urandom(200_000)])])
        self.registry.push(layout.directory, "a/b:1")
        self.proxy = FaultProxy(self.registry.port).__enter__()
        self.addCleanup(self.proxy.__exit__)
        self.root = os.path.join(self.directory, "registry")
        self.waits: list[float] = []

    def wait(self, seconds: float) -> bool:
        """Note a wait, and do not wait."""
        self.waits.append(seconds)
        return False

    def download(self) -> Summary:
        """Download the image through the proxy."""
        self.events: list[Event] = []
        transport = Transport(read_timeout=_SILENCE)
        stop = Signal()
        retries = Retries(4, stop, self.wait)  # for chance may have one blob meet all faults
        network = Network(transport, Upstreams(transport, retries, {}), retries, stop, 4)
        download = Download(self.root, network, Selection(), self.events.append)
        image = ImageReference.parse(f"{self.proxy.host}/a/b:1")
        with TreeWriter(self.root, "a test") as tree:
            return download.run([image], tree)

    def check_complete(self) -> None:
        """Make sure that the image is in the tree, each blob with its digest."""
        repository = RegistryTree(self.root).find_repository(None, "a/b")
        self.assertEqual(repository.list_tags(), ["1"])
        blobs = os.listdir(os.path.join(self.root, "blobs"))
        self.assertEqual(len(blobs), 2)
        for blob in blobs:
            with repository.open_blob(Digest.parse(blob)).file as file:
                self.assertEqual(str(Digest.of(file.read())), blob)

    def check_mended(self, part: str, *faults: Fault) -> None:
        """Download with some faults, and expect the right files all the same."""
        self.proxy.faults[part] = list(faults)
        self.assertEqual(self.download().failed, ())
        self.assertEqual(self.proxy.faults[part], [])
        self.check_complete()

    def check_refused(self, part: str, fault: Fault, reason: str) -> None:
        """Download with a fault that stays, and expect an error and no tag."""
        self.proxy.faults[part] = [fault] * 20
        self.assertEqual(len(self.download().failed), 1)
        [ended] = [event for event in self.events if isinstance(event, ImageEnded)]
        self.assertIn(reason, ended.reason)
        self.assertFalse(os.path.exists(os.path.join(self.root, "a", "b", "manifests")))
        self.proxy.faults.clear()
        self.assertEqual(self.download().failed, ())
        self.check_complete()

    def test_statuses(self) -> None:
        """429 and 5xx are asked again, after the time that they name."""
        self.check_mended("/manifests/", status(429, **{"Retry-After": "3"}), status(503))
        self.assertTrue(3 <= self.waits[0] <= 4)

    def test_blob_statuses(self) -> None:
        """For blobs as well."""
        self.check_mended("/blobs/", status(500), status(429), status(502))

    def test_cut(self) -> None:
        """A body that is cut goes on where it was cut, to the byte."""
        self.check_mended("/blobs/", cut, cut, reset, reset)
        self.check_sent_once()

    def test_bad_line(self) -> None:
        """A line that breaks again and again is good enough, if something comes each time."""
        self.check_mended("/blobs/", *[break_early] * 6)
        self.check_sent_once()

    def test_killed(self) -> None:
        """A process goes on where the one before was killed."""
        self.proxy.faults["/blobs/"] = [slow, slow]
        command = [sys.executable, "-m", "minreg", "download", "-s", "-d", self.root]
        command.append(f"{self.proxy.host}/a/b:1")
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            while sum(self.proxy.sent.values()) < 100_000:
                time.sleep(0.01)
            process.kill()
        sent = sum(self.proxy.sent.values())
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        self.check_complete()
        blobs = os.path.join(self.root, "blobs")
        held = sum(os.path.getsize(os.path.join(blobs, blob)) for blob in os.listdir(blobs))
        sent_twice = sum(self.proxy.sent.values()) - held
        self.assertLess(sent_twice, 4 * PIECE)
        self.assertLess(sent_twice, sent)

    def test_stall(self) -> None:
        """A body that goes silent is left, and goes on as well."""
        self.check_mended("/blobs/", stall, stall)
        self.check_sent_once()

    def check_sent_once(self) -> None:
        """Make sure that each byte of each blob left the upstream once."""
        blobs = os.path.join(self.root, "blobs")
        sent = {path.rpartition("/")[2]: size for path, size in self.proxy.sent.items()}
        for blob in os.listdir(blobs):
            self.assertEqual(sent[blob], os.path.getsize(os.path.join(blobs, blob)))

    def test_wrong_bytes(self) -> None:
        """Wrong bytes are fetched again."""
        self.check_mended("/blobs/", wrong_bytes)
        self.check_mended("/manifests/", wrong_bytes)

    def test_wrong_length(self) -> None:
        """So is what is too long or too short."""
        self.check_mended("/blobs/", too_long, too_short)

    def test_stays_down(self) -> None:
        """A registry that stays down is an error; the next run finishes."""
        self.check_refused("/blobs/", status(503), "answered with status 503")

    def test_stays_wrong(self) -> None:
        """Bytes that stay wrong are an error, and are not stored."""
        self.check_refused(
            "/blobs/", wrong_bytes, "was expected, but the received bytes have sha256:"
        )

    def test_stays_silent(self) -> None:
        """A registry that stays silent is an error."""
        self.check_refused("/manifests/", stall, "timed out")

    def test_redirect(self) -> None:
        """A blob may come from another server, which sees no Authorization."""
        with FaultProxy(self.registry.port) as other:

            def to_other_server(answer: Resolution) -> None:
                answer.status, answer.body = 307, b""
                answer.headers["Location"] = f"http://{other.host}{answer.path}"

            self.proxy.faults["/blobs/"] = [to_other_server] * 2
            self.assertEqual(self.download().failed, ())
            self.assertTrue(other.requests)
            self.assertEqual({authorization for _, _, authorization in other.requests}, {None})
        blobs = os.listdir(os.path.join(self.root, "blobs"))
        self.assertEqual(len(blobs), 2)

    def test_redirect_to_itself(self) -> None:
        """It may come from elsewhere on the same server as well."""

        def to_itself(answer: Resolution) -> None:
            answer.status, answer.body = 307, b""
            answer.headers["Location"] = f"{answer.path}?again"

        self.check_mended("/blobs/", to_itself, to_itself)
        self.assertEqual(self.waits, [])
