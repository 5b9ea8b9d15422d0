"""An image's name as the kubelet hands it to containerd.

Source: the reference package of the distribution project, ``ParseDockerRef``: a name with a tag
and a digest loses the tag.
"""

import posixpath
from collections.abc import Mapping, Sequence
from typing import Self
from urllib.parse import urlencode

import attrs

from minreg.k3s.registries.certs_d import DEFAULT_DIRECTORY
from minreg.k3s.registries.endpoints import DOCKER_HUB_API
from minreg.k3s.registries.go_regexp import GoPattern, PatternInvalid, PatternNotChecked
from minreg.k3s.registries.hosts_toml import Host, HostsInvalid, parse_hosts, registry_itself
from minreg.oci.names import DOCKER_HUB, Digest, NameInvalid, is_host, is_tag, parse_repository

_DEFAULT_TAG = "latest"
_OLD_HUB = "index.docker.io"


@attrs.frozen
class ImageName:
    """A registry's host as it was written, a repository there, and a tag or a digest.

    Other than in the name of a place in a tree, a default port stays: to containerd,
    ``example.com:443`` is another registry than ``example.com``.
    """

    host: str
    repository: str
    reference: str | Digest

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``[host[:port]/]repository[:tag][@digest]``.

        Raises:
            NameInvalid: A part breaks its grammar.
            DigestInvalid: The digest does.
        """
        named, at, digest = text.partition("@")
        first, slash, rest = named.partition("/")
        host, path = (first, rest) if slash and is_host(first) else (DOCKER_HUB, named)
        host = DOCKER_HUB if host == _OLD_HUB else host
        repository, colon, tag = path.partition(":")
        if host == DOCKER_HUB and "/" not in repository:
            repository = f"library/{repository}"
        if colon and not is_tag(tag):
            raise NameInvalid(f"{tag[:160]!r} is no tag")
        reference = Digest.parse(digest) if at else tag or _DEFAULT_TAG
        return cls(host, parse_repository(repository), reference)

    def __str__(self) -> str:
        mark = "@" if isinstance(self.reference, Digest) else ":"
        return f"{self.host}/{self.repository}{mark}{self.reference}"


@attrs.frozen
class Request:
    """A request, up to the point where a redirect or an answer may change it.

    ``namespace`` is the value of ``ns``, None where it is not sent. Where several rewrites match,
    containerd takes any of them, and ``path`` is that of the first; ``other_paths`` are the rest.
    ``is_path_known`` is false where rewrites could not be applied, as google-re2 is missing.
    """

    method: str
    host: Host
    path: str
    namespace: str | None
    other_paths: Sequence[str] = ()
    is_path_known: bool = True

    @property
    def url(self) -> str:
        """The whole address, with the scheme that is tried first."""
        query = f"?{urlencode({'ns': self.namespace})}" if self.namespace is not None else ""
        return f"{self.host.schemes[0]}://{self.host.host}{self.path}{query}"


@attrs.frozen
class Containerd:
    """A containerd with its ``certs.d``.

    Args:
        files: Texts of ``hosts.toml`` by the names of their directories.
        is_of_k3s: It is K3s' or RKE2's own; False for others, such as Debian's.
    """

    files: Mapping[str, str]
    is_of_k3s: bool = True

    def directory(self, registry: str) -> str | None:
        """Find the directory with the settings for a registry, if there is one."""
        name, colon, port = registry.rpartition(":")
        candidates = [f"{name}_{port}_"] if colon and name else []
        for directory in (*candidates, registry, DEFAULT_DIRECTORY):
            if directory in self.files:
                return directory
        return None

    def hosts(self, registry: str) -> Sequence[Host]:
        """List the hosts that may be asked for a registry's images, in order.

        Raises:
            HostsInvalid: Its file cannot be read.
        """
        directory = self.directory(registry)
        if directory is None:
            return [registry_itself(registry)]
        return parse_hosts(self.files[directory], registry, is_of_k3s=self.is_of_k3s)

    def requests(self, image: ImageName) -> Sequence[Request]:
        """List the requests for an image's manifest, each sent if all before it failed.

        containerd that cannot read a file says so in its log, and asks the registry itself.
        """
        try:
            hosts = self.hosts(image.host)
        except HostsInvalid:
            hosts = [registry_itself(image.host)]
        needed = {"pull"} if isinstance(image.reference, Digest) else {"pull", "resolve"}
        able = [host for host in hosts if needed <= host.capabilities]
        kinds = ["manifests", "blobs"] if isinstance(image.reference, Digest) else ["manifests"]
        return [_request(host, image, kind) for kind in kinds for host in able]


def rewritten(repository: str, rewrites: Mapping[str, str]) -> Sequence[str]:
    """Tell what a repository's name may become: one name, or several if several patterns match.

    A pattern that Go cannot compile is passed over, as containerd does.

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
        names, is_path_known = rewritten(image.repository, host.rewrites), True
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
