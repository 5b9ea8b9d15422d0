"""A real upstream for end-to-end tests: Debian's docker-registry, filled by skopeo."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Sequence
from typing import Any

import attrs

from minreg.oci.names import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Digest
from tests.e2e.programs import free_port, need_programs

_START_SECONDS = 20


@attrs.define
class RealRegistry:
    """A running docker-registry, with its storage in ``directory``."""

    directory: str
    address: str
    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def host(self) -> str:
        """The registry's address in image references."""
        return f"{self.address}:{self.port}"

    def stop(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.wait()

    def push(self, layout: str, name: str) -> None:
        """Push an OCI layout's only image under a name such as ``a/b:1``."""
        command = "skopeo copy --all --quiet --insecure-policy --dest-tls-verify=false"
        subprocess.run(
            [*command.split(), f"oci:{layout}", f"docker://{self.host}/{name}"],
            check=True,
            capture_output=True,
        )


def start_registry(
    directory: str, auth: str = "", http: str = "", address: str = "127.0.0.1"
) -> RealRegistry:
    """Start a docker-registry on a free port of this machine.

    Args:
        directory: For its storage and configuration; what it holds is served.
        auth: The ``auth`` section of its configuration, YAML.
        http: More of its ``http`` section.
        address: Where it listens.
    """
    need_programs("docker-registry", "skopeo")
    os.makedirs(directory, exist_ok=True)
    port = free_port()
    configuration = os.path.join(directory, "config.yml")
    with open(configuration, "w", encoding="ascii") as file:
        file.write(
            "version: 0.1\nlog: {level: error}\n"
            f"storage: {{filesystem: {{rootdirectory: {os.path.abspath(directory)}/storage}}}}\n"
            f"http: {{addr: '{address}:{port}', {http}}}\n{auth}"
        )
    log = os.path.join(directory, "log")
    with open(log, "wb") as output:
        process = subprocess.Popen(
            ["docker-registry", "serve", configuration], stdout=output, stderr=output
        )
    registry = RealRegistry(directory, address, port, process)
    _wait_until_it_answers(registry)
    return registry


def _wait_until_it_answers(registry: RealRegistry) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((registry.address, registry.port), timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    registry.stop()
    raise AssertionError(f"docker-registry does not answer; see {registry.directory}/log")


class Layout:
    """An OCI layout with one image, which is being written.

    Args:
        directory: Where it lies; it is made.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._blobs = os.path.join(directory, "blobs", "sha256")
        os.makedirs(self._blobs)

    def write_index(
        self, images: Sequence[dict[str, Any]], annotations: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Write an index of images, and make it the layout's image."""
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(images)}
        if annotations:
            index["annotations"] = annotations
        return self.name(self._write_document(index))

    def name(self, descriptor: dict[str, Any]) -> dict[str, Any]:
        """Make an image or index the image of the layout."""
        document = {"schemaVersion": 2, "manifests": [descriptor]}
        with open(os.path.join(self.directory, "index.json"), "w", encoding="ascii") as file:
            json.dump(document, file)
        with open(os.path.join(self.directory, "oci-layout"), "w", encoding="ascii") as file:
            file.write('{"imageLayoutVersion":"1.0.0"}')
        return descriptor

    def write_image(
        self, architecture: str, layers: Sequence[bytes], **platform: str
    ) -> dict[str, Any]:
        """Write an image whose layers have these bytes, and return its descriptor."""
        shape = {"architecture": architecture, "os": "linux", **platform}
        config = {
            **shape,
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(one)) for one in layers]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self._write(OCI_CONFIG, json.dumps(config).encode("ascii")),
            "layers": [self._write(OCI_LAYER, one) for one in layers],
        }
        return {**self._write_document(manifest), "platform": shape}

    def _write_document(self, document: dict[str, Any]) -> dict[str, Any]:
        return self._write(document["mediaType"], json.dumps(document).encode("ascii"))

    def _write(self, media_type: str, content: bytes) -> dict[str, Any]:
        digest = Digest.of(content)
        with open(os.path.join(self._blobs, digest.encoded), "wb") as file:
            file.write(content)
        return {"mediaType": media_type, "digest": str(digest), "size": len(content)}
