"""The content of ``registries.yaml``, in which K3s and RKE2 have their registries configured.

Sources: K3s' documentation, "Private Registry Configuration"; rancher/wharfie,
``pkg/registries/types.go``, for the keys and their types. K3s ignores other keys, so they are
diagnostics that are not fatal.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import attrs
from yaml import Node

from minreg.defaults import WILDCARD
from minreg.k3s.yaml_reader import (
    NO_POSITION,
    Diagnostic,
    Located,
    Position,
    YamlReader,
    is_null,
    position_of,
)
from minreg.oci.names import is_host

_T = TypeVar("_T")
# Names that may have been intended for a section.
_SECTIONS = frozenset({"mirror", "mirrors", "config", "configs"})
_NOTHING = Located("")


@attrs.frozen
class Rewrite:
    """A pattern, which is a regular expression of Go, and the replacement for what it matches."""

    pattern: Located
    replacement: Located


@attrs.frozen
class Mirror:
    """An entry of ``mirrors``: the endpoints for the images of a registry.

    ``is_anchor`` is true if the name is not that of a registry, and the entry has an anchor that
    is used elsewhere: it was written only for that.
    """

    name: Located
    endpoints: Sequence[Located] = ()
    rewrites: Sequence[Rewrite] = ()
    is_anchor: bool = attrs.field(default=False, eq=False)


@attrs.frozen
class Auth:
    """The login for an endpoint. Keys that are not set are empty."""

    username: Located = _NOTHING
    password: Located = _NOTHING
    auth: Located = _NOTHING
    identity_token: Located = _NOTHING
    position: Position = attrs.field(default=NO_POSITION, eq=False)


@attrs.frozen
class TLS:
    """The TLS settings for an endpoint. Paths that are not set are empty."""

    ca_file: Located = _NOTHING
    cert_file: Located = _NOTHING
    key_file: Located = _NOTHING
    insecure_skip_verify: bool = False
    position: Position = attrs.field(default=NO_POSITION, eq=False)


@attrs.frozen
class Config:
    """An entry of ``configs``: the settings for the connections to one host.

    A missing section is None, which is not the same as an empty one: K3s writes a ``hosts.toml``
    for the latter.
    """

    name: Located
    auth: Auth | None = None
    tls: TLS | None = None


@attrs.frozen
class Registries:
    """The mirrors and configs of a file, by their names."""

    mirrors: Mapping[str, Mirror] = attrs.field(factory=dict)
    configs: Mapping[str, Config] = attrs.field(factory=dict)


def read_registries(content: bytes) -> tuple[Registries, Sequence[Diagnostic]]:
    """Read a file as far as it is valid.

    Returns:
        Its content, and the diagnostics in the order of their lines. If one of these is fatal,
        K3s reads nothing of the file.
    """
    reader = _RegistriesReader()
    registries = reader.registries(content)
    return registries, sorted(reader.diagnostics, key=lambda diagnostic: diagnostic.position)


class _RegistriesReader(YamlReader):
    def registries(self, content: bytes) -> Registries:
        mirrors: dict[str, Mirror] = {}
        configs: dict[str, Config] = {}
        root = self.read(content)
        if root is None:
            return Registries(mirrors, configs)
        for key, value in self.pairs(root, "the file"):
            match key.text:
                case "mirrors":
                    self._fill(mirrors, value, "mirrors", self._mirror)
                case "configs":
                    self._fill(configs, value, "configs", self._config)
                case "auths":
                    self._unknown(key, "K3s no longer reads auths, move it to configs")
                case _ if key.text.lower() not in _SECTIONS and self.is_aliased(value):
                    pass  # The key only holds an anchor, and nothing of it is lost.
                case _:
                    self._unknown(key, "only mirrors and configs are allowed here")
        return Registries(mirrors, configs)

    def _fill(
        self, entries: dict[str, _T], node: Node, what: str, read: Callable[[Located, Node], _T]
    ) -> None:
        """Read a section. A second section adds to the first; an empty one clears it."""
        if is_null(node):
            entries.clear()
        for name, value in self.pairs(node, what, replaces=True):
            entries[name.text] = read(name, value)

    def _mirror(self, name: Located, node: Node) -> Mirror:
        endpoints: list[Located] = []
        rewrites: dict[str, Rewrite] = {}
        where = f"mirrors.{name.text}"
        for key, value in self.pairs(node, where):
            match key.text:
                case "endpoint":
                    endpoints = self._endpoints(value, f"{where}.endpoint")
                case "rewrite":
                    self._add_rewrites(rewrites, value, f"{where}.rewrite")
                case _:
                    self._unknown(key, "only endpoint and rewrite are allowed here")
        is_anchor = name.text != WILDCARD and not is_host(name.text) and self.is_aliased(node)
        return Mirror(name, tuple(endpoints), tuple(rewrites.values()), is_anchor)

    def _endpoints(self, node: Node, where: str) -> list[Located]:
        endpoints = (self.scalar(item, f"an item of {where}") for item in self.items(node, where))
        return [endpoint for endpoint in endpoints if endpoint is not None]

    def _add_rewrites(self, rewrites: dict[str, Rewrite], node: Node, where: str) -> None:
        if is_null(node):
            rewrites.clear()
        for pattern, value in self.pairs(node, where):
            replacement = self.scalar(value, f"a replacement in {where}")
            if replacement is not None:
                rewrites[pattern.text] = Rewrite(pattern, replacement)

    def _config(self, name: Located, node: Node) -> Config:
        config = Config(name)
        where = f"configs.{name.text}"
        for key, value in self.pairs(node, where):
            match key.text:
                case "auth":
                    auth = None if is_null(value) else self._auth(config.auth, value, where)
                    config = attrs.evolve(config, auth=auth)
                case "tls":
                    tls = None if is_null(value) else self._tls(config.tls, value, where)
                    config = attrs.evolve(config, tls=tls)
                case _:
                    self._unknown(key, "only auth and tls are allowed here")
        return config

    def _auth(self, previous: Auth | None, node: Node, where: str) -> Auth:
        """Read a login. A second section adds to the previous one."""
        values = {}
        for key, value in self.pairs(node, f"{where}.auth"):
            if key.text in {"username", "password", "auth", "identity_token"}:
                values[key.text] = self.scalar(value, f"{where}.auth.{key.text}") or _NOTHING
            else:
                names = "username, password, auth and identity_token"
                self._unknown(key, f"only {names} are allowed here")
        return attrs.evolve(previous or Auth(), **values, position=position_of(node))

    def _tls(self, previous: TLS | None, node: Node, where: str) -> TLS:
        """Read TLS settings. A second section adds to the previous one."""
        tls = attrs.evolve(previous or TLS(), position=position_of(node))
        for key, value in self.pairs(node, f"{where}.tls"):
            what = f"{where}.tls.{key.text}"
            if key.text in {"ca_file", "cert_file", "key_file"}:
                path: dict[str, Any] = {key.text: self.scalar(value, what) or _NOTHING}
                tls = attrs.evolve(tls, **path)
            elif key.text == "insecure_skip_verify":
                tls = attrs.evolve(tls, insecure_skip_verify=self.boolean(value, what))
            else:
                names = "ca_file, cert_file, key_file and insecure_skip_verify"
                self._unknown(key, f"only {names} are allowed here")
        return tls

    def _unknown(self, key: Located, fix: str) -> None:
        self.add_diagnostic(
            "unknown-key", key.position, f"K3s ignores {key.text}: {fix}", is_fatal=False
        )
