"""Tests with random requests to a tree with invalid content."""

import string

from hypothesis import given, settings
from hypothesis import strategies as st

from minreg.oci.names import Digest
from tests.support import Response, WebTestCase, parse_response, parse_responses, write_request
from tests.traps import (
    DIGEST,
    ENDPOINTS,
    LAYER,
    METHODS,
    NAMES,
    PIECES,
    REFERENCES,
    SECRET,
    add_traps,
)

RIGHT = {200, 206, 304, 400, 404, 405, 413, 416}
CODES = {
    400: {"NAME_INVALID", "DIGEST_INVALID", "PAGINATION_NUMBER_INVALID", "UNSUPPORTED"},
    404: {"NAME_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN", "UNSUPPORTED"},
    405: {"UNSUPPORTED"},
    413: {"SIZE_INVALID"},
    416: {"RANGE_INVALID"},
}

wild = st.text(st.characters(max_codepoint=255), max_size=20)
names = st.sampled_from(NAMES)
references = st.sampled_from(REFERENCES)
wire = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([*PIECES, write_request("/v2/"), write_request(f"/v2/a/blobs/{DIGEST}")]),
)
endpoints = st.sampled_from(ENDPOINTS)
methods = st.sampled_from(["GET"] * 11 + ["HEAD"] * 3 + [*METHODS])
numbers = st.one_of(st.integers(-2, 300).map(str), st.sampled_from(["", "9" * 25, "x"]))
ranges = st.one_of(
    st.lists(st.tuples(numbers, numbers).map("-".join), max_size=4).map(
        lambda parts: "bytes=" + ",".join(parts)
    ),
    wild,
)
hosts = st.one_of(
    st.sampled_from(["quay.io", "docker.io", "bootstrap-registry.airgap", "..", "out", ""]), wild
)
queries = st.lists(
    st.one_of(
        st.tuples(st.just("ns"), hosts),
        st.tuples(st.just("n"), numbers),
        st.tuples(st.sampled_from(["last", "artifactType", "digest"]), wild),
    ),
    max_size=3,
)
headers = st.dictionaries(
    st.sampled_from(["if-none-match", "if-range", "accept", "user-agent", "cookie", "host"]),
    st.one_of(wild, st.sampled_from([f'"{DIGEST}"', "*", f'W/"{DIGEST}", "b"'])),
    max_size=3,
)


@st.composite
def encoded(draw: st.DrawFn, text: str) -> str:
    """Percent-encode some characters of a text, and all that need it."""
    plain = set(string.ascii_letters + string.digits + "-._~/:+")
    if draw(st.booleans()):
        plain -= draw(st.sets(st.sampled_from(sorted(plain)), max_size=4))
    return "".join(char if char in plain else f"%{ord(char):02X}" for char in text)


@st.composite
def targets(draw: st.DrawFn) -> str:
    """Return the target of a request: a path and a query."""
    name = draw(st.one_of(names, names, wild))
    reference = draw(st.one_of(references, references, wild))
    path = draw(
        st.one_of(
            st.just(f"/v2/{name}/{draw(endpoints)}/{reference}"),
            st.sampled_from([f"/v2/{name}/tags/list", "/v2/_catalog", "/v2/", "/v2", "/"]),
            wild.map(lambda text: f"/{text}"),
        )
    )
    query = [f"{key}={draw(encoded(value))}" for key, value in draw(queries)]
    return draw(encoded(path)) + ("?" + "&".join(query) if query else "")


def is_sendable(value: str) -> bool:
    """Return whether a text is a valid header value, by HTTP's grammar."""
    return not set(value) & {"\r", "\n", "\0"}


class PropertyTests(WebTestCase):
    """Tests for properties of all responses."""

    def setUp(self) -> None:
        """Create a tree with images, and with content that must never be served."""
        super().setUp()
        self.manifests = add_traps(self.tree)

    def assert_right(self, method: str, response: Response) -> None:
        """Check what every response must have, and that its body matches its status."""
        self.assertIn(response.code, RIGHT)
        self.assertIsNone(response.header("transfer-encoding"))
        self.assertEqual(response.header("docker-distribution-api-version"), "registry/2.0")
        self.assertTrue(response.headers["server"].startswith("minreg/"))
        length = int(response.headers["content-length"])
        if method == "HEAD" or response.code == 304:
            self.assertEqual(response.body, b"")
            return
        self.assertEqual(len(response.body), length)
        self.assertNotIn(SECRET, response.body)
        if response.code >= 400:
            self.assertEqual(response.header("content-type"), "application/json")
            self.assertIn(response.error_code, CODES[response.code])
        elif response.code == 206:
            self.assert_parts_right(response)
        elif "docker-content-digest" in response.headers:
            digest = response.headers["docker-content-digest"]
            self.assertEqual(str(Digest.of(response.body)), digest)
        else:
            self.assertIsInstance(response.json, dict)

    def assert_parts_right(self, response: Response) -> None:
        """Check that the parts have the bytes of the blob that their ranges name."""
        if response.headers["docker-content-digest"] != DIGEST:
            self.assertIn(response.headers["docker-content-digest"], self.manifests)
            return
        parts = [(response.header("content-range"), response.body)]
        if response.headers["content-type"].startswith("multipart/"):
            parts = list(response.parts())
        for place, body in parts:
            assert place is not None
            first, _, last = place.removeprefix("bytes ").removesuffix("/256").partition("-")
            self.assertEqual(body, LAYER[int(first) : int(last) + 1])

    @settings(deadline=None, max_examples=300)
    @given(methods, targets(), headers, st.none() | ranges)
    def test_requests(
        self, method: str, target: str, fields: dict[str, str], asked: str | None
    ) -> None:
        """Any request has a valid response, without a byte from outside the root."""
        if asked is not None:
            fields = {**fields, "range": asked}
        sendable = {name: value for name, value in fields.items() if is_sendable(value)}
        self.assert_right(method, self.request(target, method, sendable))

    @settings(deadline=None, max_examples=100)
    @given(st.binary(min_size=1, max_size=30), methods)
    def test_raw_targets(self, target: bytes, method: str) -> None:
        """A target of any bytes is answered in JSON."""
        connection = self.connect()
        connection.send(b"%s /%s HTTP/1.1\r\nHost: a\r\n\r\n" % (method.encode(), target))
        response = parse_response(connection.received())
        self.assertIn(response.code, RIGHT)
        self.assertEqual(response.header("docker-distribution-api-version"), "registry/2.0")
        connection.leave()

    @settings(deadline=None, max_examples=300)
    @given(st.lists(wire, max_size=8), st.booleans())
    def test_raw_bytes(self, pieces: list[bytes], reads: bool) -> None:  # noqa: FBT001
        """Any bytes on a connection raise no error and leave nothing in memory."""
        connection = self.connect(reads=reads)
        for piece in pieces:
            connection.send(piece)
        connection.leave()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual([event for event in self.events if "log_failure" in event], [])
        for response in parse_responses(connection.received()):
            if response.code in {414, 431}:
                self.assertEqual(response.error_code, "UNSUPPORTED")
            else:
                self.assert_right("GET", response)
