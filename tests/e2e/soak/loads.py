"""The loads of the soak test: everything that a client may do, each with a name."""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from types import MappingProxyType
from typing import Protocol
from urllib.parse import quote

import attrs

from tests.e2e.soak.tree import LARGE_SIZE, PUBLISHED, RELEASE, Digests
from tests.e2e.soak.wire import Make, Refusals, Requests, WriteBatcher
from tests.traps import DIGEST, ENDPOINTS, LINKED, METHODS, NAMES, PIECES, REFERENCES, TRAPS

OK = frozenset({200})
PARTIAL = frozenset({206})
NOT_MODIFIED = frozenset({304})
BAD = frozenset({400})
NOT_FOUND = frozenset({404})
NOT_ALLOWED = frozenset({405})
UNSATISFIABLE = frozenset({416})
REFUSED = BAD | NOT_FOUND
ANY = frozenset({0, 200, 206, 304, 400, 404, 405, 411, 413, 414, 416, 417, 431, 501, 505})

BROWSER = MappingProxyType({"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
NO_FIELDS: Mapping[str, str] = MappingProxyType({})
READING = ("GET", "HEAD")
WARM_UP = 500
"""Requests after which everything that a kind of request needs is there."""

FILLS_CACHES = 2_000
"""Requests after which the caches are full, if no request is like another (8 MiB)."""


class Runner(Protocol):
    """Repeats requests, connections or disconnections."""

    def run(self, port: int, count: int, start: int) -> int:
        """Do it ``count`` times, with numbers from ``start`` on.

        Returns:
            How often the answer was 503.
        """


@attrs.frozen
class Load:
    """A load: something that clients do repeatedly.

    ``warm_up`` is how often it is done before memory is measured.
    """

    name: str
    runner: Runner
    warm_up: int = WARM_UP


def write(
    target: str, method: str = "GET", fields: Mapping[str, str] = NO_FIELDS, body: bytes = b""
) -> bytes:
    """Return the bytes of a request."""
    lines = [f"{method} {target} HTTP/1.1", "Host: registry"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def always(content: bytes) -> Make:
    """Return a function that returns the same bytes for each number."""
    return lambda _number: content


def in_turn(*contents: bytes) -> Make:
    """Return a function that returns one of some bytes after the other."""
    return lambda number: contents[number % len(contents)]


def ask(
    name: str,
    target: str,
    statuses: frozenset[int] = OK,
    fields: Mapping[str, str] = NO_FIELDS,
    method: str = "GET",
) -> Load:
    """Repeat one request."""
    return Load(f"{method} {name}", Requests(always(write(target, method, fields)), statuses))


def ask_both(name: str, target: str, statuses: frozenset[int] = OK) -> Iterator[Load]:
    """Repeat a GET and a HEAD request."""
    for method in READING:
        yield ask(name, target, statuses, method=method)


def ask_in_turn(
    name: str,
    targets: Sequence[str],
    statuses: frozenset[int] = OK,
    fields: Mapping[str, str] = NO_FIELDS,
) -> Load:
    """Send some requests one after the other, with GET and HEAD."""
    requests = [write(target, method, fields) for target in targets for method in READING]
    return Load(f"GET, HEAD {name}", Requests(in_turn(*requests), statuses))


def registry_loads(digests: Digests) -> Iterator[Load]:
    """Return the loads of clients of a registry."""
    base = f"/v2/{PUBLISHED}"
    manifest = f"{base}/manifests"
    yield from ask_both("/v2/", "/v2/")
    yield ask("/v2", "/v2")
    yield from ask_both("catalog", "/v2/_catalog")
    yield ask("catalog, n and last", f"/v2/_catalog?n=2&last={PUBLISHED}")
    yield ask("catalog, n=x", "/v2/_catalog?n=x", BAD)
    yield from ask_both("tags", f"{base}/tags/list")
    yield ask("tags, n and last", f"{base}/tags/list?n=1&last=1")
    yield ask("tags, n=0", f"{base}/tags/list?n=0")
    yield ask("tags, n=-1", f"{base}/tags/list?n=-1", BAD)
    yield ask("tags of an unknown repository", "/v2/unknown/tags/list", NOT_FOUND)
    yield from ask_both("manifest by tag", f"{manifest}/2")
    yield from ask_both("manifest by digest", f"{manifest}/{digests.manifest}")
    yield ask("index", f"{manifest}/index", fields={"Accept": "application/json, */*"})
    yield ask("manifest, ns", f"{manifest}/1?ns=quay.io")
    condition = {"If-None-Match": f'"{digests.manifest}"'}
    yield ask("manifest, 304", f"{manifest}/2", NOT_MODIFIED, condition)
    yield ask("manifest, condition fails", f"{manifest}/2", fields={"If-None-Match": '"x"'})
    yield ask("manifest as a blob", f"{base}/blobs/{digests.manifest}", OK | NOT_FOUND)
    referrers = f"{base}/referrers/{digests.manifest}"
    yield from ask_both("referrers", referrers)
    yield ask("referrers, artifactType", f"{referrers}?artifactType=sbom")
    yield ask("referrers of nothing", f"{base}/referrers/{DIGEST}")
    yield from blob_loads(f"{base}/blobs", digests)
    yield ask("an absolute URL", f"http://registry{manifest}/2")
    yield ask("an encoded path", f"/v2/%61/manifests/{quote('2')}")
    yield Load("an image, pulled", Requests(pull(base, digests), OK, is_pipelined=False))


def blob_loads(blobs: str, digests: Digests) -> Iterator[Load]:
    """Return the loads for blobs: small ones, with ``sendfile``, and ranges."""
    small, middle = f"{blobs}/{digests.config}", f"{blobs}/{digests.middle}"
    yield from ask_both("blob of 40 bytes", small)
    yield from ask_both("blob of 200 kB", middle)
    for words, header in {
        "one range": "bytes=0-9",
        "open-ended range": "bytes=100000-",
        "last bytes": "bytes=-10",
        "two ranges": "bytes=0-9,100-199",
    }.items():
        yield ask(f"blob, {words}", middle, PARTIAL, {"Range": header})
    yield ask("blob, range outside", small, UNSATISFIABLE, {"Range": "bytes=500-"})
    yield ask("blob, malformed range", small, fields={"Range": "bytes=x-"})
    matches = {"Range": "bytes=0-9", "If-Range": f'"{digests.middle}"'}
    yield ask("blob, If-Range", middle, PARTIAL, matches)
    yield ask("blob, If-Range fails", small, fields={"Range": "bytes=0-9", "If-Range": '"x"'})
    yield ask("blob, 304", small, NOT_MODIFIED, {"If-None-Match": "*"})


def pull(base: str, digests: Digests) -> Make:
    """Return the requests of a client that pulls an image."""
    steps = [
        write(f"{base}/{place}", fields={"User-Agent": "containerd/2.0", "Accept": "*/*"})
        for place in (
            "manifests/index?ns=docker.io",
            f"manifests/{digests.manifest}?ns=docker.io",
            f"blobs/{digests.config}?ns=docker.io",
            f"blobs/{digests.middle}?ns=docker.io",
        )
    ]
    return in_turn(*steps)


def refusal_loads() -> Iterator[Load]:
    """Return the loads of requests that are refused, on open connections."""
    base = f"/v2/{PUBLISHED}"
    for words, target in {
        "unknown tag": f"{base}/manifests/unknown",
        "unknown digest": f"{base}/manifests/sha256:{'0' * 64}",
        "malformed digest": f"{base}/manifests/sha256:",
        "malformed tag": f"{base}/manifests/..",
        "unknown blob": f"{base}/blobs/sha256:{'0' * 64}",
        "malformed blob": f"{base}/blobs/x",
        "malformed referrers": f"{base}/referrers/x",
        "unknown repository": "/v2/unknown/manifests/1",
        "malformed name": "/v2/A/manifests/1",
        "unknown endpoint": f"{base}/x/1",
        "upload": f"{base}/blobs/uploads/",
        "path outside": "/v2/..%2f..%2fetc/manifests/passwd",
        "zero byte": "/v2/%00/manifests/1",
        "bytes that are no UTF-8": "/v2/%ff%fe/manifests/%ff",
        "unknown ns": f"{base}/manifests/unknown?ns=unknown.example",
        "malformed ns": f"{base}/manifests/1?ns=..",
        "ns twice": f"{base}/manifests/1?ns=a.example&ns=b.example",
        "manifest linked to outside": f"{base}/manifests/out",
        "repository linked to outside": "/v2/out/manifests/1",
        "FIFO": f"{base}/manifests/fifo",
        "directory": f"{base}/manifests/dir",
        "link to nothing": f"{base}/manifests/lost",
        "blob linked to outside": f"{base}/blobs/{LINKED}",
        "blob linked to /proc": f"{base}/blobs/{TRAPS[0]}",
        "blob linked to /dev/zero": f"{base}/blobs/{TRAPS[1]}",
        "blob, FIFO": f"{base}/blobs/{TRAPS[2]}",
        "blob, link to itself": f"{base}/blobs/{TRAPS[4]}",
        "nothing": "/x",
    }.items():
        yield ask_in_turn(words, [target], REFUSED)
    yield from method_loads(base)
    yield Load("every trap by every method", traps(), 4000)


def method_loads(base: str) -> Iterator[Load]:
    """Return the loads of methods that a read-only registry refuses, with and without a body."""
    fields = {"Content-Length": "5"}
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW", "get"):
        yield ask("manifest", f"{base}/manifests/1", NOT_ALLOWED, method=method)
        body = write(f"{base}/blobs/uploads/", method, fields, b"12345")
        yield Load(f"{method} with a body", Requests(always(body), NOT_ALLOWED))
    chunked = write(
        f"{base}/blobs/uploads/", "POST", {"Transfer-Encoding": "chunked"}, b"1\r\nx\r\n0\r\n\r\n"
    )
    yield Load("POST in chunks", Requests(always(chunked), NOT_ALLOWED))
    expecting = write("/v2/", "PUT", {**fields, "Expect": "100-continue"}, b"12345")
    yield Load("PUT with Expect", Requests(always(expecting), NOT_ALLOWED))


def traps() -> Requests:
    """Return the requests for every name, endpoint and reference with every method."""
    places = (
        f"/v2/{name}/{endpoint}/{reference}"
        for name, endpoint, reference in product(NAMES, ENDPOINTS, REFERENCES)
    )
    asked = [write(place, method) for place, method in product(places, METHODS)]
    random.Random(1).shuffle(asked)  # noqa: S311 - a test is to be repeated
    return Requests(in_turn(*asked), ANY - {0})


def raw_loads() -> Iterator[Load]:
    """Return the loads that are refused and whose connections are closed."""
    for words, content, statuses in (*heads(), *bodies()):
        ends = words.startswith("a request that ends")
        yield Load(words, Refusals(always(content), frozenset(statuses), ends))
    yield Load("pieces of requests at random", Refusals(random_pieces, ANY, ends=True))
    yield Load("bytes at random", Refusals(random_bytes, ANY, ends=True))


def heads() -> Iterator[tuple[str, bytes, set[int]]]:
    """Return requests whose first line or header is invalid or unusual, with their statuses."""
    long = "x" * 17_000
    yield from (
        ("garbage", b"\x00\xff garbage\r\n\r\n", {400}),
        ("a TLS handshake", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), {400}),
        ("no version", b"GET /\r\n\r\n", {0, 400}),
        ("a URL that is too long", write(f"/{long}"), {414}),
        ("a header that is too long", write("/v2/", fields={"X": long}), {431}),
        ("too many header fields", write("/v2/", fields={f"X{i}": "" for i in range(600)}), {431}),
        ("a field without a colon", b"GET /v2/ HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n", {400}),
        ("no Host", b"GET /v2/ HTTP/1.1\r\nConnection: close\r\n\r\n", {400}),
        ("two Hosts", write("/v2/", fields={"host": "b", "Connection": "close"}), {400}),
        ("a malformed Host", b"GET / HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n", {400}),
        ("HTTP/1.0", b"GET /v2/ HTTP/1.0\r\n\r\n", {200}),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505}),
        ("Connection: close", write("/v2/", fields={"Connection": "close"}), {200}),
        ("a request that ends with the connection", write("/v2/"), {200}),
    )


def bodies() -> Iterator[tuple[str, bytes, set[int]]]:
    """Return requests whose body is invalid, with their statuses."""
    yield from (
        ("a body that is too long", write("/v2/", "PUT", {"Content-Length": "1000000"}), {413}),
        (
            "chunks that are too long",
            write("/v2/", "PUT", {"Transfer-Encoding": "chunked"}, b"20000\r\n" + bytes(0x20000)),
            {0, 413},
        ),
        ("a malformed length", write("/v2/", "PUT", {"Content-Length": "x"}), {400}),
        ("a length of 5,000 digits", write("/v2/", "PUT", {"Content-Length": "9" * 5000}), {400}),
        (
            "length and chunks",
            write(
                "/v2/", "PUT", {"Content-Length": "3", "Transfer-Encoding": "chunked"}, b"0\r\n"
            ),
            {400},
        ),
        (
            "malformed chunks",
            write("/v2/", "PUT", {"Transfer-Encoding": "chunked"}, b"x\r\n"),
            {400},
        ),
        ("unknown encoding", write("/v2/", "PUT", {"Transfer-Encoding": "x"}, b""), {400, 501}),
    )


def random_pieces(number: int) -> bytes:
    """Combine pieces of requests at random, the same ones for the same number."""
    chance = random.Random(number)  # noqa: S311 - a test is to be repeated
    return b"".join(chance.choices(PIECES, k=chance.randrange(1, 8)))


def random_bytes(number: int) -> bytes:
    """Return random bytes, the same ones for the same number."""
    return random.Random(number).randbytes(40) + b"\r\n\r\n"  # noqa: S311 - a test is to be repeated


def departure_loads(digests: Digests) -> Iterator[Load]:
    """Return the loads of clients that disconnect in every state of a connection."""
    blobs = f"/v2/{PUBLISHED}/blobs"
    large = write(f"{blobs}/{digests.large}")
    part = write(f"{blobs}/{digests.large}", fields={"Range": f"bytes=5-{LARGE_SIZE - 5}"})
    parts = write(f"{blobs}/{digests.large}", fields={"Range": "bytes=0-9999999,10000001-"})
    tags, page = write(f"/v2/{PUBLISHED}/tags/list"), write("/", fields=BROWSER)
    for words, content, reads in (
        ("before anything is sent", b"", 0),
        ("in the request line", b"GET /v2", 0),
        ("in the header", b"GET /v2/ HTTP/1.1\r\nHost: a\r\nX: ", 0),
        ("in the body of a request", write("/v2/", "PUT", {"Content-Length": "50"}, b"123"), 0),
        ("in a TLS handshake", b"\x16\x03\x01", 0),
        ("before an answer from memory", write("/v2/"), 0),
        ("before an answer from the disk", tags, 0),
        ("before a page", page, 0),
        ("before a check of readiness", write("/readyz"), 0),
        ("before many answers", tags * 4, 0),
        ("in the middle of many answers", tags * 4, 300),
        ("in the head of a blob", large, 20),
        ("in the middle of a blob", large, 1_000_000),
        ("in the middle of a part of a blob", part, 100_000),
        ("in the middle of several parts of a blob", parts, 100_000),
        ("before one of two blobs", large * 2, 5000),
    ):
        yield Load(f"leave {words}", WriteBatcher(always(content), reads))


def status_loads() -> Iterator[Load]:
    """Return the loads of probes and operators."""
    for target, statuses in {
        "/livez": OK,
        "/livez?verbose": OK,
        "/readyz": OK,
        "/readyz?verbose": OK,
        "/metrics": OK,
        "/minreg": NOT_FOUND,
        "/minreg/": NOT_FOUND,
        "/minreg/x": NOT_FOUND,
        "/minreg/style.css": OK,
        "/minreg/missing": OK,
        "/minreg/missing?format=json": OK,
        "/minreg/missing?format=list": OK,
        "/minreg/missing?format=x": BAD,
        "/": NOT_FOUND,
        "/minreg/images": NOT_FOUND,
        "/minreg/images/a": NOT_FOUND,
        "/favicon.ico": NOT_FOUND,
    }.items():
        yield ask_in_turn(target, [target], statuses)
    yield ask("/readyz", "/readyz", NOT_ALLOWED, method="POST")
    yield ask("/metrics", "/metrics", NOT_ALLOWED, method="DELETE")
    yield from preflight_loads()


def preflight_loads() -> Iterator[Load]:
    """Return the requests of preflights for a release of K3s."""
    asked = "/minreg/preflight"
    release = f"{asked}?k3s={quote(RELEASE)}"
    complete = f"{release}&platform=linux/amd64"
    yield ask_in_turn("preflight", [complete, f"{complete}&format=list"])
    yield ask("preflight, incomplete", f"{release}&platform=linux/arm64", frozenset({409}))
    yield ask("preflight, unknown release", f"{asked}?k3s=v1.0.0%2Bk3s1", NOT_FOUND)
    yield ask("preflight, no release", asked, BAD)
    yield ask("preflight, malformed", f"{release}&platform=..%2f", BAD)
    yield ask("preflight, unknown word", f"{release}&x=y", BAD)


def page_loads(digests: Digests) -> Iterator[Load]:
    """Return the loads of browsers."""
    images = f"/minreg/images/{PUBLISHED}"
    for words, target, statuses in (
        ("search", "/?q=pause", OK),
        ("search for nothing", "/?q=%00%ff<script>", OK),
        ("repository", "/minreg/images/a/b", OK),
        ("unknown image", f"{images}:unknown", NOT_FOUND),
        ("unknown repository", "/minreg/images/unknown", NOT_FOUND),
        ("malformed image", "/minreg/images/A:..", NOT_FOUND),
        ("no image", "/minreg/images", NOT_FOUND),
        ("missing", "/minreg/missing", OK),
        ("nothing", "/x", NOT_FOUND),
    ):
        yield ask(f"page: {words}", target, statuses, BROWSER)
    yield ask_in_turn("page: home", ["/", "/?after=a"], fields=BROWSER)
    image = [f"{images}:2", f"{images}@{digests.index}"]
    yield ask_in_turn("page: image", image, fields=BROWSER)


def ever_new_loads() -> Iterator[Load]:
    """Return the loads of different requests, which fill all caches."""
    base = f"/v2/{PUBLISHED}"
    for words, make, statuses in (
        (
            "new User-Agent",
            lambda n: write(f"{base}/manifests/2", fields={"User-Agent": f"{n}"}),
            OK,
        ),
        ("new query", lambda n: write(f"{base}/manifests/2?x={n}"), OK),
        (
            "new header field",
            lambda n: write(f"{base}/manifests/2", fields={f"X-{n}-{'x' * 500}": "x"}),
            OK,
        ),
        ("new Host", lambda n: write("/v2/").replace(b"registry", b"host-%d" % n), OK),
        ("new unknown tag", lambda n: write(f"{base}/manifests/new-{n}"), NOT_FOUND),
        ("new unknown digest", lambda n: write(f"{base}/blobs/sha256:{n:064x}"), NOT_FOUND),
        ("new unknown repository", lambda n: write(f"/v2/new-{n}/tags/list"), NOT_FOUND),
        ("new ns", lambda n: write(f"{base}/manifests/x?ns=host-{n}.example"), NOT_FOUND),
        ("new path", lambda n: write(f"/new/{n}"), NOT_FOUND),
        ("new method", lambda n: write(f"{base}/manifests/2", f"M{n}"), NOT_ALLOWED),
        ("new last", lambda n: write(f"{base}/tags/list?last={n}"), OK),
        (
            "new range",
            lambda n: write(f"{base}/manifests/2", fields={"Range": f"bytes=0-{n}"}),
            PARTIAL,
        ),
    ):
        # Answers are kept of requests that came alone, with status 200.
        runner = Requests(make, statuses, is_pipelined=statuses != OK)
        yield Load(f"ever {words}", runner, FILLS_CACHES)
    search = Requests(lambda n: write(f"/?q=new-{n}", fields=BROWSER), OK)
    yield Load("page: ever new search", search)


def all_loads(digests: Digests) -> Mapping[str, Sequence[Load]]:
    """Return all loads, in groups that have a daemon each."""
    return {
        "registry": list(registry_loads(digests)),
        "refusals": list(refusal_loads()),
        "raw": list(raw_loads()),
        "departures": list(departure_loads(digests)),
        "status": list(status_loads()),
        "pages": list(page_loads(digests)),
        "ever new": list(ever_new_loads()),
    }
