"""Merges mirrors and configs into a ``registries.yaml``, keeping each byte of it.

New lines are inserted directly below the key that they belong to, so that comments stay above
what they were written for. The result is read again and compared with what it should say; if it
differs, nothing is merged.
"""

from collections.abc import Iterator, Sequence

import attrs

from minreg.defaults import WILDCARD
from minreg.k3s.registries.mirror_endpoints import EndpointInvalid, parse_endpoint
from minreg.k3s.registries.registries_yaml import Config, Mirror, Registries, read_registries
from minreg.k3s.registries.yaml_edit import CannotInsert, Insertion
from minreg.k3s.registries.yaml_writer import Document, render
from minreg.k3s.yaml_reader import Diagnostic, Located, YamlReader

_CANNOT_INSERT = "nothing can be inserted into a file of this form"


class MergeRefused(Exception):
    """Nothing can be merged into a file; ``diagnostics`` are its fatal mistakes, if it has any."""

    def __init__(self, reason: str, diagnostics: Sequence[Diagnostic] = ()) -> None:
        super().__init__(reason)
        self.diagnostics = diagnostics


@attrs.frozen
class Note:
    """A remark for the operator.

    ``line`` is a line of the original file. ``is_left`` is true if something was not merged, and
    the operator has to do it.
    """

    line: int
    message: str
    is_left: bool = False


@attrs.frozen
class Merged:
    """The merged text, and remarks about it."""

    text: str
    notes: Sequence[Note]


def merge(content: bytes, document: Document) -> Merged:
    """Add to a file what it lacks of a document.

    Args:
        content: The file.
        document: The mirrors and configs to merge.

    Raises:
        MergeRefused: K3s cannot read the file, or its form allows no insertion.
    """
    existing, diagnostics = read_registries(content)
    fatal = [diagnostic for diagnostic in diagnostics if diagnostic.is_fatal]
    if fatal:
        raise MergeRefused("K3s cannot read this file", fatal)
    addition, _ = read_registries(render(document).encode())
    plan = _MergePlan(existing, addition)
    expected = plan.compute()
    text = _insert(content, plan.missing)
    if read_registries(text.encode())[0] != expected:
        raise MergeRefused(_CANNOT_INSERT)
    return Merged(text, plan.notes)


@attrs.define
class _MergePlan:
    """Computes what is missing in a file, and what the file will say after the merge.

    ``missing`` has entries by section and name; the endpoints of mirrors are complete lists.
    """

    existing: Registries
    addition: Registries
    missing: dict[str, dict[str, Document]] = attrs.field(factory=dict)
    notes: list[Note] = attrs.field(factory=list)

    def compute(self) -> Registries:
        mirrors = dict(self.existing.mirrors)
        configs = dict(self.existing.configs)
        for name, mirror in self.addition.mirrors.items():
            mirrors[name] = self._mirror(name, mirror)
        for name, config in self.addition.configs.items():
            configs[name] = self._config(name, config)
        return Registries(mirrors, configs)

    def _mirror(self, name: str, added: Mirror) -> Mirror:
        existing = self.existing.mirrors.get(name)
        if existing is None:
            self._note_wildcard(name)
            endpoints = added.endpoints
        else:
            endpoints = tuple(_joined(added.endpoints, existing.endpoints))
        if existing is not None and endpoints == existing.endpoints:
            return existing
        if existing is not None and existing.rewrites:
            line = existing.rewrites[0].pattern.position.line
            urls = ", ".join(endpoint.text for endpoint in added.endpoints)
            message = (
                f"the rewrites of {name} would also apply to new endpoints, so none was added: if "
                f"that is intended, add {urls} by hand"
            )
            self._note(line, message, is_left=True)
            return existing
        texts = [endpoint.text for endpoint in endpoints]
        self.missing.setdefault("mirrors", {})[name] = {"endpoint": texts}
        return attrs.evolve(existing or added, endpoints=endpoints)

    def _config(self, name: str, added: Config) -> Config:
        existing = self.existing.configs.get(name)
        if existing is not None:
            if existing != added:
                line = existing.name.position.line
                self._note(
                    line, f"{name} already has other settings, which were kept", is_left=True
                )
            return existing
        self.missing.setdefault("configs", {})[name] = _document(added)
        return added

    def _note_wildcard(self, name: str) -> None:
        """Note that ``*`` does not apply to registries that have an entry of their own."""
        if name == WILDCARD:
            for mirror in self.existing.mirrors.values():
                other = mirror.name
                self._note(
                    other.position.line,
                    f'"*" does not apply to {other.text}, which has an entry of its own',
                )
        elif WILDCARD in self.existing.mirrors:
            line = self.existing.mirrors[WILDCARD].name.position.line
            self._note(line, f'"*" no longer applies to {name}, which now has an entry of its own')

    def _note(self, line: int, message: str, *, is_left: bool = False) -> None:
        self.notes.append(Note(line, message, is_left))


def _insert(content: bytes, missing: Document) -> str:
    # It was read as YAML, so all that UTF-8 does not have is the mark of an empty file in UTF-16.
    text = content.decode("utf-8", "ignore")
    byte_order_mark = "\ufeff" if text.startswith("\ufeff") else ""
    text = text.removeprefix(byte_order_mark)
    root = YamlReader().read(content)
    try:
        return byte_order_mark + (Insertion(text, root).apply(missing) if missing else text)
    except CannotInsert:
        raise MergeRefused(_CANNOT_INSERT) from None


def _joined(added: Sequence[Located], existing: Sequence[Located]) -> Iterator[Located]:
    """Join two lists of endpoints, keeping the order of both as far as possible.

    A new endpoint comes first, or directly behind the one that it follows in ``added``.
    """
    rest = list(existing)
    existing_urls = {_normalize(endpoint) for endpoint in existing}
    for endpoint in added:
        url = _normalize(endpoint)
        if url not in existing_urls:
            yield endpoint
        elif url in map(_normalize, rest):
            while _normalize(rest[0]) != url:
                yield rest.pop(0)
            yield rest.pop(0)
    yield from rest


def _normalize(endpoint: Located) -> str:
    """Return the URL that K3s uses for an endpoint, which may be spelled in several ways."""
    try:
        return str(parse_endpoint(endpoint.text))
    except EndpointInvalid:
        return endpoint.text


def _document(config: Config) -> Document:
    """Convert settings to a document."""
    document: dict[str, Document] = {}
    for name, settings in (("auth", config.auth), ("tls", config.tls)):
        if settings is not None:
            values = attrs.asdict(settings, recurse=False)
            document[name] = {
                key: value.text if isinstance(value, Located) else value
                for key, value in values.items()
                if key != "position" and value not in (Located(""), False)
            }
    return document
