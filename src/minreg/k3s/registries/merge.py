"""Adds to a ``registries.yaml`` that somebody wrote, and leaves every byte that is there.

Lines are put in below the key that they belong to, where no comment comes to stand above
something else than before. The outcome is read again: if it does not say what it should, nothing
is merged.
"""

from collections.abc import Iterator, Sequence

import attrs

from minreg.k3s.registries.endpoints import EndpointInvalid, parse_endpoint
from minreg.k3s.registries.registries_yaml import Config, Mirror, Registries, read_registries
from minreg.k3s.registries.yaml_edit import CannotInsert, Insertion
from minreg.k3s.registries.yaml_writer import Document, render
from minreg.k3s.yaml_reader import Diagnostic, Located, YamlReader

_WILDCARD = "*"


class MergeRefused(Exception):
    """A file cannot be added to; ``problems`` are what is wrong with it, if that is why."""

    def __init__(self, reason: str, problems: Sequence[Diagnostic] = ()) -> None:
        super().__init__(reason)
        self.problems = problems


@attrs.frozen
class Note:
    """Something about the outcome that the operator has to know.

    ``line`` is a line of the file that was added to. ``is_left`` says that something was not
    added, and is left to the operator.
    """

    line: int
    message: str
    is_left: bool = False


@attrs.frozen
class Merged:
    """The outcome: the whole text, and what there is to know about it."""

    text: str
    notes: Sequence[Note]


def merge(content: bytes, wanted: Document) -> Merged:
    """Add to a file what it lacks.

    Args:
        content: The file.
        wanted: What it is to say besides.

    Raises:
        MergeRefused: K3s cannot read the file, or it has a form that nothing can be added to.
    """
    there, problems = read_registries(content)
    fatal = [problem for problem in problems if problem.is_fatal]
    if fatal:
        raise MergeRefused("K3s cannot read this file", fatal)
    addition, _ = read_registries(render(wanted).encode())
    plan = _Plan(there, addition)
    outcome = plan.work_out()
    text = _insert(content, plan.lacking)
    if read_registries(text.encode())[0] != outcome:
        raise MergeRefused("nothing can be added to a file of this form")
    return Merged(text, plan.notes)


@attrs.define
class _Plan:
    """Works out what is lacking, and what the file will say then.

    ``lacking`` has sections, in these names, and in ``mirrors`` the whole lists of endpoints.
    """

    there: Registries
    addition: Registries
    lacking: dict[str, dict[str, Document]] = attrs.field(factory=dict)
    notes: list[Note] = attrs.field(factory=list)

    def work_out(self) -> Registries:
        mirrors = dict(self.there.mirrors)
        configs = dict(self.there.configs)
        for name, mirror in self.addition.mirrors.items():
            mirrors[name] = self._mirror(name, mirror)
        for name, config in self.addition.configs.items():
            configs[name] = self._config(name, config)
        return Registries(mirrors, configs)

    def _mirror(self, name: str, wanted: Mirror) -> Mirror:
        there = self.there.mirrors.get(name)
        if there is None:
            self._tell_of_wildcard(name)
            endpoints = wanted.endpoints
        else:
            endpoints = tuple(_joined(wanted.endpoints, there.endpoints))
        if there is not None and endpoints == there.endpoints:
            return there
        if there is not None and there.rewrites:
            line = there.rewrites[0].pattern.position.line
            self._note(
                line,
                f"the rewrites of {name} would hold for each endpoint that is added: add "
                f"{', '.join(word.text for word in wanted.endpoints)} by hand if they are to",
                is_left=True,
            )
            return there
        texts = [word.text for word in endpoints]
        self.lacking.setdefault("mirrors", {})[name] = {"endpoint": texts}
        return attrs.evolve(there or wanted, endpoints=endpoints)

    def _config(self, name: str, wanted: Config) -> Config:
        there = self.there.configs.get(name)
        if there is not None:
            if there != wanted:
                line = there.name.position.line
                self._note(line, f"{name} has settings already, which stay", is_left=True)
            return there
        self.lacking.setdefault("configs", {})[name] = _document(wanted)
        return wanted

    def _tell_of_wildcard(self, name: str) -> None:
        """An entry of its own takes a registry out of those that ``*`` is for."""
        if name == _WILDCARD:
            for mirror in self.there.mirrors.values():
                other = mirror.name
                self._note(other.position.line, f'{other.text} has an entry: "*" is not for it')
        elif _WILDCARD in self.there.mirrors:
            line = self.there.mirrors[_WILDCARD].name.position.line
            self._note(line, f'{name} now has an entry of its own: "*" is no longer for it')

    def _note(self, line: int, message: str, *, is_left: bool = False) -> None:
        self.notes.append(Note(line, message, is_left))


def _insert(content: bytes, lacking: Document) -> str:
    text = content.decode("utf-8")
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    text = text.removeprefix(mark)
    root = YamlReader().read(content)
    try:
        return mark + (Insertion(text, root).apply(lacking) if lacking else text)
    except CannotInsert:
        raise MergeRefused("nothing can be added to a file of this form") from None


def _joined(wanted: Sequence[Located], there: Sequence[Located]) -> Iterator[Located]:
    """Add what is wanted and not there: before all, or behind what it is wanted behind."""
    rest = list(there)
    known = {_normal(word) for word in there}
    for word in wanted:
        spelling = _normal(word)
        if spelling not in known:
            yield word
        elif spelling in map(_normal, rest):
            while _normal(rest[0]) != spelling:
                yield rest.pop(0)
            yield rest.pop(0)
    yield from rest


def _normal(word: Located) -> str:
    """Spell an endpoint as K3s does, so that two spellings of one are not two."""
    try:
        return str(parse_endpoint(word.text))
    except EndpointInvalid:
        return word.text


def _document(config: Config) -> Document:
    """Write settings down again."""
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
