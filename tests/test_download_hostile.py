"""Hostile upstreams: whatever one sends, only its own image fails."""

import json
import os
from collections.abc import Iterable, Mapping

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.download import Download, Network
from minreg.fill.progress import Event, ImageEnded
from minreg.fill.resolve import Selection
from minreg.fill.tree.writer import TreeWriter
from minreg.fill.upstream.registry import Upstreams
from minreg.oci.names import OCI_MANIFEST, Digest, ImageReference
from minreg.store.tree import RegistryTree
from tests.canned import MemoryRegistry, Sent, quick_retries
from tests.memory_network import Coming, MemoryTransport, http_answer

GOOD, EVIL = "good.example/a:1", "evil.example/a:1"
DEEP = b"[" * 60_000
NUMBER = b"1" * 5000


STATUSES = [*(100, 101, 200, 200, 200, 204, 206, 301, 304, 307, 400, 401, 401, 404, 416, 429)]
STATUSES += (500, 503, 520, 999)
KEYS = ["token", "access_token", "expires_in", "errors", "code", "message", "manifests"]
KEYS += ("config", "layers", "mediaType", "digest", "size", "platform", "os", "annotations")
NAMES = ["Location", "WWW-Authenticate", "Content-Length", "Content-Range", "Content-Type"]
NAMES += ("Transfer-Encoding", "Docker-Content-Digest", "Retry-After", "Connection")
VALUES = ["https://cdn.example:99999/x", "//a..b/", "http://evil.example/", "/x", "x:", "?"]
VALUES += ('Bearer realm="https://auth.example:99999/token"', "Basic realm=x", 'Bearer realm="/"')
VALUES += (NUMBER.decode("ascii"), "-1", "1, 2", "chunked", "gzip, chunked", "close")
VALUES += ("bytes 0-1/2", "Mon, 99 Foo 99999 99:99:99 +99999999", "sha256:" + 64 * "0")


@attrs.frozen
class Hostile:
    """An answer, for one kind of request; ``raw`` stands for all of it."""

    stage: str
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    raw: bytes | None = None

    def pieces(self) -> list[Coming]:
        """Return the bytes that are sent."""
        if self.raw is not None:
            return [self.raw]
        lines = [f"HTTP/1.1 {self.status} x"]
        if not any(name.lower() == "content-length" for name in self.headers):
            lines.append(f"Content-Length: {len(self.body)}")
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        head = "\r\n".join([*lines, "", ""])
        return [head.encode("latin-1", errors="replace"), self.body]


def damage(hostile: Hostile, at: int, content: bytes) -> Hostile:
    """Replace bytes of a response."""
    whole = b"".join(piece for piece in hostile.pieces() if isinstance(piece, bytes))
    return Hostile(hostile.stage, raw=whole[:at] + content + whole[at + len(content) :])


TEXT = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=80)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner),
)
BODIES = st.one_of(
    st.binary(max_size=300),
    st.sampled_from((DEEP, b'{"token":' + NUMBER + b"}", b'{"errors":' + DEEP)),
    JSON.map(lambda value: json.dumps(value).encode()),
)
HEADERS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES) | TEXT, max_size=5)
STAGES = st.sampled_from(("challenge", "token", "manifest", "blob"))
ANSWERS = st.builds(Hostile, STAGES, st.sampled_from(STATUSES), BODIES, HEADERS)
HOSTILE = st.one_of(
    ANSWERS,
    # The same, with some bytes of it changed, or nothing that was ever an answer.
    st.builds(damage, ANSWERS, st.integers(0, 200), st.binary(max_size=20)),
    st.builds(Hostile, STAGES, raw=st.binary(max_size=300)),
)


class HostileUpstreamTestCase(SynchronousTestCase):
    """A good registry, and an evil one that wants a token, with an account there."""

    def setUp(self) -> None:
        """Fill both registries with images that share blobs, and log in."""
        self.registries = {"good.example": MemoryRegistry(), "evil.example": MemoryRegistry()}
        for host, registry in self.registries.items():
            image = registry.add_image("a", "amd64", b"shared", host.encode("ascii"))
            registry.add_index("a", image, tag="1")
        home = os.path.abspath(self.mktemp())
        os.makedirs(os.path.join(home, ".docker"))
        auths = {"evil.example": {"username": "alice", "password": "secret"}}
        with open(os.path.join(home, ".docker", "config.json"), "w", encoding="ascii") as file:
            json.dump({"auths": auths}, file)
        self.environment = {"HOME": home}

    def answer(self, request: bytes) -> Iterable[Coming]:
        """Answer as the registry whose host is asked, or as the token server."""
        method, path, *_ = request.decode("latin-1").split(" ")
        if b"\r\nHost: good.example\r\n" in request:
            return self.answer_well("good.example", method, path)
        stage = self.stage_of(request, path)
        if stage == self.hostile.stage:
            return self.hostile.pieces()
        if stage == "challenge":
            realm = 'WWW-Authenticate: Bearer realm="https://auth.example/token"'
            return [http_answer(401, b"{}", realm)]
        if stage == "token":
            return [http_answer(200, b'{"token":"t"}')]
        return self.answer_well("evil.example", method, path)

    def stage_of(self, request: bytes, path: str) -> str:
        """Return the kind of a request; the target of a redirect is of the same kind."""
        if b"\r\nHost: evil.example\r\n" not in request:
            return "token" if path.startswith("/token") else self.hostile.stage
        if b"\r\nAuthorization: Bearer " not in request:
            return "challenge"
        return "blob" if "/blobs/" in path else "manifest"

    def answer_well(self, host: str, method: str, path: str) -> Iterable[Coming]:
        """Answer as a registry does."""
        canned = self.registries[host](Sent(method, path, {}))
        headers = (f"{name}: {value}" for name, value in canned.headers.items())
        return [http_answer(canned.status, canned.body, *headers)]

    def reason(self, hostile: Hostile) -> str:
        """Download both images, expect the good one, and return why the other failed."""
        self.hostile = hostile
        transport, retries = MemoryTransport(self.answer), quick_retries(1)
        upstreams = Upstreams(transport, retries, self.environment)
        network = Network(transport, upstreams, retries, retries._stop, 4)
        root = os.path.abspath(self.mktemp())
        events: list[Event] = []
        with TreeWriter(root, "a test") as tree:
            download = Download(root, network, Selection(trimmed=False), events.append)
            download.run([ImageReference.parse(image) for image in (EVIL, GOOD)], tree)
        ended = {e.image: e.reason for e in events if isinstance(e, ImageEnded)}
        self.assertEqual((set(ended), ended[GOOD]), ({GOOD, EVIL}, ""))
        repository = RegistryTree(root).find_repository(None, "good.example/a")
        self.assertEqual(repository.list_tags(), ["1"])
        repository.open_blob(Digest.of(b"good.example")).file.close()
        return ended[EVIL]


class HostileUpstreamTests(HostileUpstreamTestCase):
    """Tests for answers that were made to do harm."""

    def test_well(self) -> None:
        """An upstream that behaves is no harm."""
        self.assertEqual(self.reason(Hostile("none")), "")

    def test_error_documents(self) -> None:
        """If an error document cannot be parsed, the status is still reported."""
        nested = b'{"errors":[{"code":' + b"[" * 900 + b"]" * 900 + b"}]}"
        for body in (DEEP, nested, b'{"errors":[{"code":' + NUMBER + b"}]}"):
            self.assertIn("(status 404)", self.reason(Hostile("manifest", 404, body)))

    def test_ranges(self) -> None:
        """Nor need a range have numbers."""
        number = NUMBER.decode("ascii")
        for text in (f"bytes {number}-5/6", f"bytes 0-5/{number}", "bytes \xb2-5/6"):
            reason = self.reason(Hostile("blob", 206, b"x", {"Content-Range": text}))
            self.assertIn("bytes instead of", reason)

    def test_tokens(self) -> None:
        """Nor need a token be one, or end."""
        for body in (DEEP, '{"token":"€uro"}'.encode(), b'{"token":"a\\nb"}'):
            self.assertIn(
                "answered without a valid token", self.reason(Hostile("token", body=body))
            )
        for life in (b"1" * 400, b"1e999", b"-1", b"true"):
            body = b'{"token":"t","expires_in":' + life + b"}"
            self.assertEqual(self.reason(Hostile("token", body=body)), "")

    def test_addresses(self) -> None:
        """Nor need an address lead anywhere."""
        for url in ("https://cdn.example:99999/x", "https://cdn.example:x/", "https://[::1/x"):
            for stage in ("manifest", "blob", "token"):
                reason = self.reason(Hostile(stage, 307, headers={"Location": url}))
                self.assertIn("which is no URL", reason)
            realm = {"WWW-Authenticate": f'Bearer realm="{url}"'}
            reason = self.reason(Hostile("challenge", 401, headers=realm))
            self.assertIn("names a token server with an invalid URL", reason)

    def test_sizes(self) -> None:
        """Nor need a size be one that a disk could have."""
        for size in (NUMBER, b"1" * 400, b"9223372036854775808", b"-1", b"1.5"):
            layer = b'{"mediaType":"x/y","digest":"sha256:%064d","size":%b}' % (0, size)
            body = b'{"mediaType":"%b","layers":[%b]}' % (OCI_MANIFEST.encode("ascii"), layer)
            self.assertIn("is invalid: ", self.reason(Hostile("manifest", body=body)))

    @given(st.data())
    def test_anything(self, data: st.DataObject) -> None:
        """Whatever comes, at whatever stage, the good image arrives."""
        self.reason(data.draw(HOSTILE))
