"""The page for people over 10,000 repositories: how soon it comes, and whether pulls wait."""

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from statistics import median

import attrs

from benchmarks.clients import percentile, time_lookups
from benchmarks.servers import Starter

_REPOSITORIES = 10_000
_SECONDS = 15
_CROWD = 8
_NEXT = re.compile(rb'<a [^>]*href="([^"]*after=[^"]*)"')
_IMAGE = re.compile(rb'<a [^>]*href="([^"]*/minreg/images[^"]*|/minreg/images[^"]*)"')


@attrs.frozen
class _Browsed:
    """Milliseconds from requests to the first byte of their answers, by kind."""

    lists: list[float] = attrs.field(factory=list)
    images: list[float] = attrs.field(factory=list)
    searches: list[float] = attrs.field(factory=list)


def measure_page(starter: Starter, directory: str) -> dict[str, float]:
    """Measure pages from their request to their first byte, and manifests meanwhile."""
    root = os.path.join(directory, "tree-page")
    _write_tree(root)
    server = starter.minreg("page", root)
    manifest = "/v2/group-7/name-7/manifests/v1"
    browsed, crowd = _Browsed(), _Browsed()
    try:
        first, _ = _ask(server.port, "/?q=name-77")
        catalog, _ = _ask(server.port, "/v2/_catalog?n=10000")
        quiet = time_lookups(server.port, manifest, 3)
        with _meanwhile(1, _browse, server.port, browsed):
            busy = time_lookups(server.port, manifest, _SECONDS)
        with _meanwhile(_CROWD, _search, server.port, crowd):
            crowded = time_lookups(server.port, manifest, _SECONDS)
    finally:
        server.stop()
    return {
        "first search of 10,000 repositories, no page before it, ms": first,
        "catalog of 10,000 repositories, ms": catalog,
        "first list of 10,000 repositories, first byte, ms": browsed.lists[0],
        "lists, first byte, median, ms": median(browsed.lists),
        "slowest list, first byte, ms": max(browsed.lists),
        "searches, first byte, median, ms": median(browsed.searches),
        "slowest search, first byte, ms": max(browsed.searches),
        "images, first byte, median, ms": median(browsed.images),
        "manifest p99 without pages, ms": percentile(quiet),
        "manifest p99 while pages are made, ms": percentile(busy),
        f"manifest p99 while {_CROWD} search at once, ms": percentile(crowded),
        "pages": len(browsed.lists) + len(browsed.images) + len(browsed.searches),
        f"searches of the {_CROWD}": len(crowd.searches),
    }


@contextmanager
def _meanwhile(
    count: int, work: Callable[[int, _Browsed], None], port: int, browsed: _Browsed
) -> Iterator[None]:
    """Have threads do some work meanwhile, and wait for them."""
    threads = [threading.Thread(target=work, args=(port, browsed)) for _ in range(count)]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()


def _browse(port: int, browsed: _Browsed) -> None:
    """Leaf through the repositories, look at images, and search, as long as the measure lasts."""
    end = time.monotonic() + _SECONDS
    path = "/"
    while time.monotonic() < end:
        milliseconds, body = _ask(port, path)
        browsed.lists.append(milliseconds)
        browsed.images.extend(_ask(port, _target(image))[0] for image in _IMAGE.findall(body)[:2])
        browsed.searches.append(_ask(port, f"/?q=name-{len(browsed.lists)}")[0])
        further = _NEXT.search(body)
        path = _target(further[1]) if further else "/"


def _search(port: int, browsed: _Browsed) -> None:
    """Search, as long as the measure lasts."""
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        browsed.searches.append(_ask(port, f"/?q=name-{len(browsed.searches)}")[0])


def _target(link: bytes) -> str:
    return link.decode("ascii").replace("&amp;", "&")


def _ask(port: int, path: str) -> tuple[float, bytes]:
    connection = HTTPConnection("127.0.0.1", port)
    try:
        begun = time.monotonic()
        connection.request("GET", path, headers={"Accept": "text/html"})
        response = connection.getresponse()
        milliseconds = (time.monotonic() - begun) * 1000
        if response.status != 200:
            raise RuntimeError(f"{path}: {response.status} {response.read()[:500]!r}")
        return milliseconds, response.read()
    finally:
        connection.close()


def _write_tree(root: str) -> None:
    """Write repositories with an image each; they share config and layer."""
    shared = os.path.join(root, "group-0", "shared")
    blobs = {}
    for kind, content in (("config", b'{"architecture":"amd64","os":"linux"}'), ("layer", b"x")):
        blobs[kind] = _write(os.path.join(shared, "blobs"), content)
    for number in range(_REPOSITORIES):
        repository = os.path.join(root, f"group-{number % 100}", f"name-{number}")
        os.makedirs(os.path.join(repository, "blobs"))
        for digest, _ in blobs.values():
            os.link(
                os.path.join(shared, "blobs", digest), os.path.join(repository, "blobs", digest)
            )
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": _describe("application/vnd.oci.image.config.v1+json", *blobs["config"]),
                "layers": [_describe("application/vnd.oci.image.layer.v1.tar", *blobs["layer"])],
                "annotations": {"number": str(number)},
            }
        )
        digest, _ = _write(os.path.join(repository, "manifests"), manifest.encode("ascii"))
        os.symlink(digest, os.path.join(repository, "manifests", "v1"))


def _describe(media_type: str, digest: str, size: int) -> dict[str, str | int]:
    return {"mediaType": media_type, "digest": digest, "size": size}


def _write(directory: str, content: bytes) -> tuple[str, int]:
    os.makedirs(directory, exist_ok=True)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    with open(os.path.join(directory, digest), "wb") as file:
        file.write(content)
    return digest, len(content)
