"""``minreg download`` against ``skopeo copy`` of one image after the other, in one run.

The upstream is a real registry, 30 ms away (round trip), with eight images as large as
those of a K3s release. Needs docker-registry and skopeo.

    python -m benchmarks.download DIRECTORY
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence

from tests.e2e.programs import free_port
from tests.e2e.real_registry import Layout, RealRegistry, start_registry

_ROUND_TRIP = 30
# Megabytes of the layers of each image, as compressed for linux/amd64 in a release of 2025.
_IMAGES = {
    "klipper-helm": (4, 12, 58, 1, 1),
    "klipper-lb": (4, 3, 1),
    "local-path-provisioner": (4, 14),
    "mirrored-coredns-coredns": (1, 1, 1, 18),
    "mirrored-library-busybox": (2,),
    "mirrored-library-traefik": (4, 1, 45),
    "mirrored-metrics-server": (1, 1, 1, 16),
    "mirrored-pause": (1,),
}


def fill_upstream(directory: str) -> tuple[RealRegistry, list[str]]:
    """Start a registry, and push the images; those that share a base share its layer."""
    registry = start_registry(os.path.join(directory, "upstream"))
    base = os.urandom(4_000_000)
    names = []
    for name, sizes in _IMAGES.items():
        layout = Layout(os.path.join(directory, "layouts", name))
        layers = [base if size == 4 else os.urandom(size * 1_000_000) for size in sizes]
        layout.write_index([layout.write_image("amd64", layers)])
        registry.push(layout.directory, f"rancher/{name}:v1")
        names.append(f"rancher/{name}:v1")
    return registry, names


def measure(what: str, commands: Sequence[Sequence[str]]) -> float:
    """Run commands, one after the other, and tell how many seconds that took."""
    started = time.monotonic()
    for command in commands:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - started
    sys.stdout.write(f"{what:48} {seconds:7.2f} s\n")
    return seconds


def main() -> None:
    """Measure, and print what came out."""
    directory = os.path.abspath(sys.argv[1])
    registry, names = fill_upstream(directory)
    port = free_port()
    distant = [sys.executable, "-m", "benchmarks.distant", str(port), str(registry.port)]
    proxy = subprocess.Popen([*distant, str(_ROUND_TRIP)])
    time.sleep(1)
    host = f"127.0.0.1:{port}"
    tree = os.path.join(directory, "registry")
    download = [sys.executable, "-m", "minreg", "download", "-s", "-d", tree]
    download += [f"{host}/{name}" for name in names]
    skopeo = ["skopeo", "copy", "--quiet", "--insecure-policy", "--src-tls-verify=false"]
    copies = [
        [*skopeo, f"docker://{host}/{name}", f"dir:{directory}/copy{number}"]
        for number, name in enumerate(names)
    ]
    try:
        peer = measure("skopeo copy, one image after the other", copies)
        first = measure("minreg download", [download])
        measure("minreg download, a second time", [download])
    finally:
        proxy.terminate()
        registry.stop()
    sys.stdout.write(f"{'skopeo / minreg':48} {peer / first:7.2f}\n")


if __name__ == "__main__":
    main()
