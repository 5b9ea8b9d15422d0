"""The requests that containerd sends for an image, by its ``certs.d`` directory.

Source: containerd 2.2, ``core/remotes/docker/resolver.go`` and ``config/hosts.go`` beside it.
"""

import posixpath
from collections.abc import Mapping, Sequence
from typing import Self
from urllib.parse import urlencode

import attrs

from minreg.k3s.registries.certs_d import DEFAULT_DIRECTORY
from minreg.k3s.registries.go_regexp import GoPattern, PatternInvalid, PatternNotChecked
from minreg.k3s.registries.hosts_toml import Host, HostsInvalid, parse_hosts, registry_itself
from minreg.k3s.registries.mirror_endpoints import DOCKER_HUB_API
from minreg.oci.names import DOCKER_HUB, Digest, ImageReference, is_host

_DOCKER_HUB_ALIAS = "index.docker.io"


@attrs.frozen
class ImageName:
    """An image as the kubelet passes it to containerd: host, repository, and tag or digest.

    ``host`` is spelled as it was written, with a default port too: to containerd,
    ``example.com:443`` and ``example.com`` are two registries. ``ImageReference`` normalizes it.
    """

    host: str
    repository: str
    reference: str | Digest

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``[host[:port]/]repository[:tag][@digest]``.

        A tag beside a digest is dropped (``ParseDockerRef`` in distribution/reference).

        Raises:
            NameInvalid: The text is not an image reference.
            DigestInvalid: Its digest is not valid.
        """
        image = ImageReference.parse(text)
        first, slash, _ = text.partition("/")
        host = first if slash and is_host(first) and first != _DOCKER_HUB_ALIAS else DOCKER_HUB
        return cls(host, image.repository, image.digest or image.tag)

    def __str__(self) -> str:
        separator = "@" if isinstance(self.reference, Digest) else ":"
        return f"{self.host}/{self.repository}{separator}{self.reference}"


@attrs.frozen
class Request:
    """A request, before any redirect.

    ``namespace`` is the value of the query parameter ``ns``, None if it is not sent. If several
    rewrites match, containerd applies any one of them: ``path`` is the result of the first,
    ``other_paths`` are the results of the others. ``is_path_known`` is false if rewrites could
    not be applied because google-re2 is not installed.
    """

    method: str
    host: Host
    path: str
    namespace: str | None
    other_paths: Sequence[str] = ()
    is_path_known: bool = True

    @property
    def url(self) -> str:
        """The URL, with the scheme that is tried first."""
        query = f"?{urlencode({'ns': self.namespace})}" if self.namespace is not None else ""
        return f"{self.host.schemes[0]}://{self.host.host}{self.path}{query}"


@attrs.frozen
class Containerd:
    """A containerd with its ``certs.d``.

    Args:
        files: The ``hosts.toml`` texts by the names of their directories.
        is_of_k3s: Whether it is the containerd that K3s or RKE2 brings; False for others, such
            as Debian's.
    """

    files: Mapping[str, str]
    is_of_k3s: bool = True

    def directory(self, registry: str) -> str | None:
        """Return the name of the directory for a registry; None if there is none."""
        name, colon, port = registry.rpartition(":")
        candidates = [f"{name}_{port}_"] if colon and name else []
        for directory in (*candidates, registry, DEFAULT_DIRECTORY):
            if directory in self.files:
                return directory
        return None

    def hosts(self, registry: str) -> Sequence[Host]:
        """List the hosts that may be asked for a registry's images, in order.

        Raises:
            HostsInvalid: The file for the registry is not valid.
        """
        directory = self.directory(registry)
        if directory is None:
            return [registry_itself(registry)]
        return parse_hosts(self.files[directory], registry, is_of_k3s=self.is_of_k3s)

    def requests(self, image: ImageName) -> Sequence[Request]:
        """List the requests for an image's manifest, each of which is sent if all before failed.

        If the file for the registry is not valid, containerd logs that and asks the registry
        itself.
        """
        try:
            hosts = self.hosts(image.host)
        except HostsInvalid:
            hosts = [registry_itself(image.host)]
        required = {"pull"} if isinstance(image.reference, Digest) else {"pull", "resolve"}
        hosts = [host for host in hosts if required <= host.capabilities]
        kinds = ["manifests", "blobs"] if isinstance(image.reference, Digest) else ["manifests"]
        return [_request(host, image, kind) for kind in kinds for host in hosts]


def apply_rewrites(repository: str, rewrites: Mapping[str, str]) -> Sequence[str]:
    """Apply rewrites to a repository's name.

    A pattern that Go refuses is ignored, as by containerd.

    Args:
        repository: The name.
        rewrites: Replacements by their patterns.

    Returns:
        One name, or several if several patterns change the name.

    Raises:
        PatternNotChecked: google-re2 is not installed.
    """
    names = []
    for pattern, replacement in rewrites.items():
        try:
            name = GoPattern.compile(pattern).replace_all(replacement, repository)
        except PatternInvalid:
            continue
        if name != repository:
            names.append(name)
    return list(dict.fromkeys(names)) or [repository]


def _request(host: Host, image: ImageName, kind: str) -> Request:
    try:
        names, is_path_known = apply_rewrites(image.repository, host.rewrites), True
    except PatternNotChecked:
        names, is_path_known = [image.repository], False
    paths = [
        posixpath.normpath(
            posixpath.join("/", host.path.lstrip("/"), name, kind, str(image.reference))
        )
        for name in names
    ]
    is_itself = image.host == host.host or (
        image.host == DOCKER_HUB and host.host == DOCKER_HUB_API
    )
    namespace = None if is_itself else image.host
    return Request("HEAD", host, paths[0], namespace, paths[1:], is_path_known)
