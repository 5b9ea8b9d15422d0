"""Invalid requests and an invalid tree, of all kinds that the tests know.

The property tests combine them at random; the soak tests repeat each of them many times.
"""

import os

from minreg.oci.names import Digest
from tests.trees import TreeBuilder

LAYER = bytes(range(256))
SECRET = b"this lies outside of the root"
DIGEST = str(Digest.of(LAYER))
TRAPS = [str(Digest.of(bytes([number]))) for number in range(5)]
LINKED = str(Digest.of(SECRET))

IMAGES = ("a", "a/b", "quay.io/x")
"""Repositories that have an image with the tag 1."""

NAMES = (*IMAGES, "out", "loop", "a/out", "..", ".", "../outside", "blobs", "", "A")
"""Names of repositories, right and wrong."""

REFERENCES = (
    *("1", "list", "out", "fifo", "dir", "lost", "..", "../../outside/secret", "uploads/"),
    *("sha256:", DIGEST, LINKED, f"sha512:{'0' * 128}", f"sha256-{DIGEST[7:]}", *TRAPS),
)
"""Tags and digests, of what is there and of what must not be served."""

ENDPOINTS = ("manifests", "blobs", "tags", "referrers", "_catalog", "x")
METHODS = ("GET", "HEAD", "POST", "PUT", "OPTIONS", "BREW", "get")

PIECES = (
    *(b"GET /v2/ HTTP/1.1", b"POST /v2/ HTTP/1.0", b"\r\n", b"\r\n\r\n", b": ", b"0\r\n"),
    *(b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Connection: close\r\n"),
    *(b"Expect: 100-continue", b"Range: x", b"A: b\r\n", b"x" * 17000),
)
"""Pieces of requests, to be sent in any order."""


def add_traps(tree: TreeBuilder) -> frozenset[str]:
    """Fill a tree with images, and with content that must never be served.

    Links lead to a directory ``outside``, which is created beside the root.

    Returns:
        The digests of the images' manifests.
    """
    outside = os.path.join(os.path.dirname(tree.root), "outside")
    os.makedirs(outside)
    for name in ("secret", LINKED, "1"):
        with open(os.path.join(outside, name), "wb") as file:
            file.write(SECRET)
    manifests = frozenset(str(tree.add_image(name, "1", LAYER)) for name in IMAGES)
    os.symlink(outside, tree.path("out"))
    os.symlink(outside, tree.path("a/out"))
    os.symlink(".", tree.path("loop"))
    os.symlink(os.path.join(outside, "secret"), tree.path("a/manifests/out"))
    os.symlink(os.path.join(outside, "secret"), tree.path("blobs", LINKED))
    os.symlink(os.path.join(outside, LINKED), tree.path("a/manifests", LINKED))
    os.symlink("/proc/self/environ", tree.path("blobs", TRAPS[0]))
    os.symlink("/dev/zero", tree.path("blobs", TRAPS[1]))
    os.symlink(TRAPS[4], tree.path("blobs", TRAPS[4]))
    os.symlink("nowhere", tree.path("a/manifests/lost"))
    os.mkfifo(tree.path("blobs", TRAPS[2]))
    os.mkfifo(tree.path("a/manifests/fifo"))
    os.mkdir(tree.path("a/manifests/dir"))
    os.mkdir(tree.path("blobs", TRAPS[3]))
    return manifests
