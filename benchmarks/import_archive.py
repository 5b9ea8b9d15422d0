"""How fast ``minreg import`` is, and how much memory it takes, beside ``skopeo copy``.

Makes an archive of the given size, and imports it into an empty tree; skopeo copies it
into a directory. Both read the archive from the page cache. Run it with

    python benchmarks/import_archive.py [--size BYTES] [--kind oci|docker] [--compress gzip]

Prints a line for each of them: seconds, and the largest resident memory in MB.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO

from minreg.oci.names import Digest

LAYERS = 8
NAME = "docker.io/minreg/benchmark:1"


class RandomLayer:
    """A file of random bytes, which is as good as a layer to whoever does not unpack it."""

    def __init__(self, path: str, size: int) -> None:
        self.path, self.size = path, size
        computed = hashlib.sha256()
        with open(path, "wb") as file:
            for _ in range(size >> 20):
                content = os.urandom(1 << 20)
                computed.update(content)
                file.write(content)
        self.digest = Digest("sha256", computed.hexdigest())


def make_archive(path: str, size: int, kind: str) -> None:
    """Make an archive of one image."""
    layers = [
        RandomLayer(f"{path}.{number}", size // LAYERS >> 20 << 20) for number in range(LAYERS)
    ]
    with tarfile.open(path, "w") as tar:
        for layer in layers:
            tar.add(layer.path, _path(layer.digest, kind))
            os.unlink(layer.path)
        for name, content in documents(layers, kind):
            header = tarfile.TarInfo(name)
            header.size = len(content)
            tar.addfile(header, BytesIO(content))


def documents(layers: list[RandomLayer], kind: str) -> Iterator[tuple[str, bytes]]:
    """Write what makes an archive of the layers."""
    root = {"type": "layers", "diff_ids": [str(layer.digest) for layer in layers]}
    config = _json({"architecture": "amd64", "os": "linux", "rootfs": root})
    yield _path(Digest.of(config), kind), config
    if kind == "docker":
        paths = [_path(layer.digest, kind) for layer in layers]
        config_path = _path(Digest.of(config), kind)
        yield (
            "manifest.json",
            _json([{"Config": config_path, "RepoTags": [NAME], "Layers": paths}]),
        )
        return
    described = [
        _describe("application/vnd.oci.image.layer.v1.tar", layer.digest, layer.size)
        for layer in layers
    ]
    config_type = "application/vnd.oci.image.config.v1+json"
    manifest_type = "application/vnd.oci.image.manifest.v1+json"
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": manifest_type,
            "config": _describe(config_type, Digest.of(config), len(config)),
            "layers": described,
        }
    )
    yield _path(Digest.of(manifest), kind), manifest
    entry = _describe(manifest_type, Digest.of(manifest), len(manifest))
    entry["annotations"] = {"org.opencontainers.image.ref.name": NAME}
    yield "index.json", _json({"schemaVersion": 2, "manifests": [entry]})
    yield "oci-layout", _json({"imageLayoutVersion": "1.0.0"})


def _path(digest: Digest, kind: str) -> str:
    return digest.encoded if kind == "docker" else f"blobs/sha256/{digest.encoded}"


def _describe(media_type: str, digest: Digest, size: int) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(digest), "size": size}


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()


def measure(label: str, command: list[str], standard_input: BinaryIO | None = None) -> None:
    """Run a command, and print what it took."""
    os.sync()
    began = time.monotonic()
    with subprocess.Popen(command, stdin=standard_input, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    took = time.monotonic() - began
    if process.returncode:
        sys.exit(f"{label} failed")
    print(f"{label:28} {took:7.2f} s {usage.ru_maxrss / 1024:7.0f} MB")


def main() -> None:
    """Measure both, one behind the other."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=2 << 30)
    parser.add_argument("--kind", choices=["oci", "docker"], default="oci")
    parser.add_argument("--compress", default="", help="a program: gzip, zstd, xz, bzip2")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as directory:
        archive = os.path.join(directory, "archive.tar")
        make_archive(archive, options.size, options.kind)
        if options.compress:
            packed = f"{archive}.packed"
            with open(packed, "wb") as file:
                subprocess.run([options.compress, "-c", archive], stdout=file, check=True)
            os.replace(packed, archive)
        importer = ["minreg", "import", "-d", f"{directory}/tree"]
        measure("minreg import, first", [*importer, archive])
        measure("minreg import, again", [*importer, archive])
        shutil.rmtree(f"{directory}/tree")
        with open(archive, "rb") as file:
            measure("minreg import -", [*importer, "-"], file)
        source = f"{options.kind}-archive:{archive}"
        measure("skopeo copy to dir:", ["skopeo", "copy", "-q", source, f"dir:{directory}/dir"])


if __name__ == "__main__":
    main()
