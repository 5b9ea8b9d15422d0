"""Rules about the form of ``registries.yaml`` and ``config.yaml``."""

import re
from collections.abc import Iterator, Sequence

from minreg.k3s.doctor.files import MOST_BYTES
from minreg.k3s.doctor.findings import Edit, Finding, Move
from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.node import Node
from minreg.k3s.doctor.rules.catalog import FILE_NAME, RULES
from minreg.k3s.registries.registries_yaml import read_registries
from minreg.k3s.yaml_reader import MAX_VALUES, Diagnostic, Position, YamlReader
from minreg.text import format_size

# What keys are called that are written so often.
_MEANT = {
    "mirror": "mirrors",
    "config": "configs",
    "endpoints": "endpoint",
    "rewrites": "rewrite",
    "ca": "ca_file",
    "cert": "cert_file",
    "key": "key_file",
    "insecure": "insecure_skip_verify",
    "skip_verify": "insecure_skip_verify",
}
_KNOWN = frozenset(
    {
        *("mirrors", "configs", "endpoint", "rewrite", "auth", "tls", "username", "password"),
        *("identity_token", "ca_file", "cert_file", "key_file", "insecure_skip_verify"),
    }
)
# What a tab may have stood for, and a key whose value comes in the lines below.
_WIDTHS = (2, 4, 8)
_OPEN_KEY = re.compile(r":\s*(?:#.*)?$")
# What the reader says of these is no sentence with its mend behind a colon.
_SAYS_SO = frozenset({"wrong-type", "too-large"})
_TOO_LARGE = (
    f"it has more than {format_size(MOST_BYTES)} or {MAX_VALUES} values: nobody writes that by "
    "hand, and it was not looked at"
)
_TEXTS = {
    "syntax": ("", "correct this line, or the one before it"),
    "wrong-type": ("", "write it in that form"),
    "too-large": (_TOO_LARGE, "keep what is meant"),
}


def check_place(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """A file of registries is where K3s looks for it."""
    path = setup.registries_path
    for file in setup.misplaced:
        moves: tuple[Move, ...] = ()
        if setup.registries_file is None and len(setup.misplaced) == 1:
            fix, moves = f"call it {path}", (Move(file.path, path),)
        elif setup.registries_file is None:
            fix = f"call the right one of these files {path}, and remove the others"
        else:
            fix = f"move what is needed of it to {path}, and remove it"
        problem = f"{setup.distribution.title} reads {path} only: this file has no effect"
        yield Finding(FILE_NAME, file.path, 0, problem, fix, moves)


def check_syntax(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """What people write is what K3s can read."""
    files = (setup.registries_file, *setup.settings.files)
    texts = {file.path: file.text for file in files if file is not None}
    found = [(setup.registries_path, problem) for problem in setup.problems]
    for path, problem in [*found, *setup.settings.problems]:
        what, _, fix = problem.message.partition(": ")
        if problem.rule in _TEXTS:
            what, fix = _TEXTS[problem.rule]
            what = what or problem.message
        if problem.is_fatal and problem.rule not in _SAYS_SO:
            what = f"{what}; {setup.distribution.title} does not start with it"
        changes = tuple(_changes(setup, texts[path], path, problem))
        if problem.rule == "unknown-key":
            fix = _position_of_key(setup, problem, [change.new for change in changes], fix)
        yield Finding(RULES[problem.rule], path, problem.position.line, what, fix, changes)


def _position_of_key(
    setup: K3sInstallation, problem: Diagnostic, meant: Sequence[str], fix: str
) -> str:
    """Say where a key belongs, or what it is called there."""
    nested = setup.registries.mirrors.get("configs")
    if nested is not None and nested.name.position < problem.position:
        return "move configs, and all below it, to the left: it stands beside mirrors"
    return f"write {meant[0]}; {fix}" if meant else fix


def _changes(setup: K3sInstallation, text: str, path: str, problem: Diagnostic) -> Iterator[Edit]:
    if problem.rule == "tab":
        yield from _expand(text, path, is_registries=path == setup.registries_path)
    if problem.rule == "unquoted-star":
        yield Edit(path, problem.position, "*", '"*"')
    if problem.rule == "unknown-key":
        key = problem.message.partition(" does nothing")[0]
        meant = _MEANT.get(key.lower(), key.lower())
        if meant in _KNOWN and meant != key:
            yield Edit(path, problem.position, key, meant)


def _expand(text: str, path: str, *, is_registries: bool) -> Sequence[Edit]:
    """Make spaces of all tabs that indent; nothing if it is not clear how many."""
    lines = text.splitlines()
    for width in _WIDTHS:
        edits: list[Edit] = []
        new: list[str] = []
        for number, line in enumerate(lines, 1):
            indent = line[: len(line) - len(line.lstrip())]
            new.append(indent.expandtabs(width) + line.lstrip())
            if "\t" in indent:
                edits.append(Edit(path, Position(number, 1), indent, indent.expandtabs(width)))
        if _is_nested(lines, new) and _is_sound(
            "\n".join(new).encode(), is_registries=is_registries
        ):
            return edits
    return ()


def _is_nested(lines: Sequence[str], new: Sequence[str]) -> bool:
    """Tell whether a line that a tab indents is deeper than the key that it stands below."""
    above = ""
    for old, line in zip(lines, new, strict=True):
        content = line.lstrip()
        if not content or content.startswith("#"):
            continue
        is_tab = "\t" in old[: len(old) - len(old.lstrip())]
        if is_tab and _OPEN_KEY.search(above) and not content.startswith("-"):
            least = len(above) - len(above.lstrip(" -"))
            if len(line) - len(content) <= least:
                return False
        above = line
    return True


def _is_sound(content: bytes, *, is_registries: bool) -> bool:
    if is_registries:
        return not read_registries(content)[1]
    reader = YamlReader()
    reader.read(content)
    return not reader.diagnostics
