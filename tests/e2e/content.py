"""Content for the end-to-end tests: the sample image, converted by real tools."""

import os
import platform
import tempfile
from functools import cache

from tests.e2e.daemon import Daemon
from tests.e2e.images import Image, read_directory, read_layout
from tests.e2e.programs import installed, run

SAMPLE = "minreg/sample"
"""The repository that ``minreg sample`` writes; its tags are ``1.0`` and ``latest``."""

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
"""What this machine runs, in the words of an image index."""

GREETING = f"Hello from minreg (linux/{ARCHITECTURE})\n"
"""The line that the sample image prints on this machine."""


def write_sample(root: str) -> None:
    """Write the sample tree with ``minreg``."""
    run(installed("minreg"), "sample", root)


@cache
def sample_image() -> Image:
    """Pull the sample image for all platforms into an OCI layout, and read it."""
    with tempfile.TemporaryDirectory(prefix="minreg-") as directory:
        return read_layout(_pull_layout(directory))


@cache
def docker_image() -> Image:
    """Convert the sample image to a Docker manifest list with skopeo, and read it."""
    with tempfile.TemporaryDirectory(prefix="minreg-") as directory:
        layout = _pull_layout(directory)
        copied = os.path.join(directory, "docker")
        skopeo_copy("--format", "v2s2", f"oci:{layout}", f"dir:{copied}")
        return read_directory(copied)


def skopeo_copy(*arguments: str) -> None:
    """Copy an image with all platforms, from or to a registry without TLS."""
    run("skopeo", "--insecure-policy", "copy", "--all", "--src-tls-verify=false", *arguments)


def _pull_layout(directory: str) -> str:
    root, layout = os.path.join(directory, "registry"), os.path.join(directory, "layout")
    write_sample(root)
    daemon = Daemon(root, directory)
    try:
        daemon.wait_until_it_answers()
        skopeo_copy(f"docker://{daemon.registry}/{SAMPLE}:1.0", f"oci:{layout}")
    finally:
        daemon.stop()
    return layout
