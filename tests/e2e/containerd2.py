"""containerd 2 with the Kubernetes Container Runtime Interface, as K3s configures it."""

import json
import os
import time
import uuid
from typing import Any

from tests.e2e.containerd import NO_WAY_OUT, Containerd
from tests.e2e.programs import GO_TOOLS, ProgramFailed, need_programs, run

_SECONDS = 120

# What K3s writes into config.toml for containerd 2 (pkg/agent/templates in its repository), but
# without CNI, and with other directories. restrict_oom_score_adj is for machines without
# CAP_SYS_RESOURCE, such as containers.
_CONFIGURATION = """\
version = 3
root = "{directory}/root"
state = "{directory}/state"

[grpc]
  address = "{directory}/socket"

[ttrpc]
  address = "{directory}/ttrpc"

[plugins.'io.containerd.grpc.v1.cri']
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"

[plugins.'io.containerd.cri.v1.runtime']
  enable_selinux = false
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  restrict_oom_score_adj = true

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  SystemdCgroup = false
  Root = "{directory}/runc"

[plugins.'io.containerd.cri.v1.images']
  snapshotter = "{snapshotter}"
  disable_snapshot_annotations = true
  use_local_image_pull = true
  {images}

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{sandbox}"

[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = "{directory}/certs.d"
"""


class Containerd2(Containerd):
    """A containerd of version 2, with ``ctr`` and ``crictl`` to drive it.

    Args:
        directory: Where it keeps its content.
        sandbox: The image of pod sandboxes.
        images: Further lines of the section about images.
    """

    def __init__(self, directory: str, sandbox: str = "", images: str = "") -> None:
        need_programs("containerd-2", "crictl")
        values = {
            "{snapshotter}": "overlayfs" if _has_overlayfs(directory) else "native",
            "{sandbox}": sandbox,
            "{images}": images,
        }
        configuration = _CONFIGURATION
        for name, value in values.items():
            configuration = configuration.replace(name, value)
        super().__init__(directory, os.path.join(GO_TOOLS, "containerd-2"), configuration)
        self.directory = directory

    def wait_until_it_answers(self, seconds: float = 120) -> None:
        """Wait until containerd, and then its runtime interface, accept requests."""
        super().wait_until_it_answers(seconds)
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.crictl("version")
                break
            except ProgramFailed:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def pull(self, name: str) -> None:
        """Pull an image as the kubelet does."""
        self.crictl("pull", name)

    def pull_with_ctr(self, name: str, *options: str) -> None:
        """Pull an image with ``ctr``, which by default reads the configs of all platforms."""
        hosts = ("--hosts-dir", self.hosts_directory, "--snapshotter", self._snapshotter)
        self._ctr("images", "pull", *hosts, *options, name)

    def content_path(self, digest: str) -> str:
        """Return the path of content that was pulled."""
        store = os.path.join(self.directory, "root", "io.containerd.content.v1.content")
        return os.path.join(store, "blobs", *digest.split(":"))

    def crictl(self, *arguments: str) -> str:
        """Run ``crictl``, and return what it prints."""
        address = f"unix://{self.socket}"
        endpoints = ("--runtime-endpoint", address, "--image-endpoint", address)
        command = ("crictl", *endpoints, "--timeout", f"{_SECONDS}s", *arguments)
        return run(*command, seconds=_SECONDS, environment=NO_WAY_OUT)

    def image_digests(self, name: str) -> list[str]:
        """Return the digests by which the kubelet can pull an image."""
        found: dict[str, Any] = json.loads(self.crictl("inspecti", name))
        return [digest.partition("@")[2] for digest in found["status"]["repoDigests"]]


def _has_overlayfs(directory: str) -> bool:
    """Return whether overlay file systems can be mounted in a directory."""
    names = [os.path.join(directory, f"overlay-{uuid.uuid4().hex}", end) for end in "luwm"]
    for name in names:
        os.makedirs(name)
    lower, upper, work, target = names
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    try:
        run("unshare", "--mount", "mount", "-t", "overlay", "-o", options, "overlay", target)
    except ProgramFailed:
        return False
    return True
