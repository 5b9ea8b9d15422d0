"""What stands in a ``registries.yaml``, the file that tells K3s and RKE2 of registries.

Sources: K3s' documentation, "Private Registry Configuration"; the keys and their types are those
of rancher/wharfie, ``pkg/registries/types.go``. Keys that are not there do nothing in K3s, and are
problems that do not keep it from starting.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import attrs
from yaml import Node

from minreg.k3s.yaml_reader import (
    NO_POSITION,
    Diagnostic,
    Located,
    Position,
    YamlReader,
    is_null,
    position_of,
)

_T = TypeVar("_T")
_NOTHING = Located("")


@attrs.frozen
class Rewrite:
    """A pattern (a regular expression of Go) and what a repository's name becomes by it."""

    pattern: Located
    replacement: Located


@attrs.frozen
class Mirror:
    """An entry of ``mirrors``: where to ask for the images of a registry."""

    name: Located
    endpoints: Sequence[Located] = ()
    rewrites: Sequence[Rewrite] = ()


@attrs.frozen
class Auth:
    """How a registry knows its user; what is not given is empty."""

    username: Located = _NOTHING
    password: Located = _NOTHING
    auth: Located = _NOTHING
    identity_token: Located = _NOTHING
    position: Position = attrs.field(default=NO_POSITION, eq=False)


@attrs.frozen
class TLS:
    """How a connection is secured; paths that are not given are empty."""

    ca_file: Located = _NOTHING
    cert_file: Located = _NOTHING
    key_file: Located = _NOTHING
    insecure_skip_verify: bool = False
    position: Position = attrs.field(default=NO_POSITION, eq=False)


@attrs.frozen
class Config:
    """An entry of ``configs``: how to speak to one registry or endpoint.

    There is a difference between no ``tls`` (None) and an empty one: see ``certs_d``.
    """

    name: Located
    auth: Auth | None = None
    tls: TLS | None = None


@attrs.frozen
class Registries:
    """A whole file: its mirrors and configs by their names."""

    mirrors: Mapping[str, Mirror] = attrs.field(factory=dict)
    configs: Mapping[str, Config] = attrs.field(factory=dict)


def read_registries(content: bytes) -> tuple[Registries, Sequence[Diagnostic]]:
    """Read a file, as far as it can be read.

    Returns:
        What it says, and what is wrong with it, in the order of lines. With a fatal problem
        among these, K3s would see nothing of it.
    """
    reader = _RegistriesReader()
    registries = reader.registries(content)
    return registries, sorted(reader.diagnostics, key=lambda problem: problem.position)


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
                    self._unknown(key, "K3s no longer looks at auths: move it to configs")
                case _:
                    self._unknown(key, "K3s knows only mirrors and configs here")
        return Registries(mirrors, configs)

    def _fill(
        self, entries: dict[str, _T], node: Node, what: str, read: Callable[[Located, Node], _T]
    ) -> None:
        """Read a section. One that is there twice adds to the first; an empty one clears it."""
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
                    self._unknown(key, "K3s knows only endpoint and rewrite here")
        return Mirror(name, tuple(endpoints), tuple(rewrites.values()))

    def _endpoints(self, node: Node, where: str) -> list[Located]:
        words = (self.scalar(item, f"an item of {where}") for item in self.items(node, where))
        return [word for word in words if word is not None]

    def _add_rewrites(self, rewrites: dict[str, Rewrite], node: Node, where: str) -> None:
        if is_null(node):
            rewrites.clear()
        for pattern, value in self.pairs(node, where):
            replacement = self.scalar(value, "what a name is rewritten to")
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
                    self._unknown(key, "K3s knows only auth and tls here")
        return config

    def _auth(self, known: Auth | None, node: Node, where: str) -> Auth:
        """Read a login, which adds to what is known if it is there a second time."""
        words = {}
        for key, value in self.pairs(node, f"{where}.auth"):
            if key.text in {"username", "password", "auth", "identity_token"}:
                words[key.text] = self.scalar(value, f"{where}.auth.{key.text}") or _NOTHING
            else:
                names = "username, password, auth and identity_token"
                self._unknown(key, f"K3s knows only {names} here")
        return attrs.evolve(known or Auth(), **words, position=position_of(node))

    def _tls(self, known: TLS | None, node: Node, where: str) -> TLS:
        """Read settings for TLS, which add to what is known if they are there a second time."""
        tls = attrs.evolve(known or TLS(), position=position_of(node))
        for key, value in self.pairs(node, f"{where}.tls"):
            what = f"{where}.tls.{key.text}"
            if key.text in {"ca_file", "cert_file", "key_file"}:
                path: dict[str, Any] = {key.text: self.scalar(value, what) or _NOTHING}
                tls = attrs.evolve(tls, **path)
            elif key.text == "insecure_skip_verify":
                tls = attrs.evolve(tls, insecure_skip_verify=self.boolean(value, what))
            else:
                names = "ca_file, cert_file, key_file and insecure_skip_verify"
                self._unknown(key, f"K3s knows only {names} here")
        return tls

    def _unknown(self, key: Located, fix: str) -> None:
        self.add_diagnostic(
            "unknown-key", key.position, f"{key.text} does nothing: {fix}", is_fatal=False
        )
