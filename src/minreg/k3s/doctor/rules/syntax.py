"""Rules about the names and the syntax of ``registries.yaml`` and ``config.yaml``."""

import re
from collections.abc import Iterator, Sequence

from minreg.k3s.doctor.findings import Edit, Finding, Move
from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.node_files import MAX_FILE_BYTES
from minreg.k3s.doctor.node_state import Node
from minreg.k3s.doctor.rules.catalog import FILE_NAME, RULES
from minreg.k3s.registries.registries_yaml import read_registries
from minreg.k3s.yaml_reader import MAX_VALUES, Diagnostic, Position, YamlReader
from minreg.text import format_size

# Keys that people write, and what they are called in K3s.
_CORRECT_KEYS = {
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
_KNOWN_KEYS = frozenset(
    {
        *("mirrors", "configs", "endpoint", "rewrite", "auth", "tls", "username", "password"),
        *("identity_token", "ca_file", "cert_file", "key_file", "insecure_skip_verify"),
    }
)
# Tab widths to try, and a key whose value is in the lines below.
_WIDTHS = (2, 4, 8)
_OPEN_KEY = re.compile(r":\s*(?:#.*)?$")
# The messages of these rules already say what K3s does.
_SAYS_EFFECT = frozenset({"wrong-type", "too-large"})
_TOO_LARGE = (
    f"the file has more than {format_size(MAX_FILE_BYTES)} or {MAX_VALUES} values, and was not "
    "checked"
)
# Problem and fix where the message of the diagnostic does not have both.
_TEXTS = {
    "syntax": ("", "correct this line, or the one before it"),
    "wrong-type": ("", "write a value of that type"),
    "too-large": (_TOO_LARGE, "remove what is not needed"),
}


def check_file_name(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """``registries.yaml`` has the name and the directory that K3s reads."""
    path = setup.registries_path
    for file in setup.misplaced:
        moves: tuple[Move, ...] = ()
        if setup.registries_file is None and len(setup.misplaced) == 1:
            fix, moves = f"rename it to {path}", (Move(file.path, path),)
        elif setup.registries_file is None:
            fix = f"rename the right one of these files to {path}, and remove the others"
        else:
            fix = f"copy what is needed to {path}, and remove this file"
        problem = f"{setup.distribution.title} reads only {path}: this file has no effect"
        yield Finding(FILE_NAME, file.path, 0, problem, fix, moves)


def check_syntax(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """The files are valid, and K3s uses all of their content."""
    files = (setup.registries_file, *setup.settings.files)
    texts = {file.path: file.text for file in files if file is not None}
    diagnostics = [(setup.registries_path, diagnostic) for diagnostic in setup.diagnostics]
    for path, diagnostic in [*diagnostics, *setup.settings.diagnostics]:
        rule, line = RULES[diagnostic.rule], diagnostic.position.line
        problem, _, fix = diagnostic.message.partition(": ")
        if rule.id in _TEXTS:
            problem, fix = _TEXTS[rule.id]
            problem = problem or diagnostic.message
        if diagnostic.is_fatal and rule.id not in _SAYS_EFFECT:
            problem = f"{problem}; {setup.distribution.title} does not start with it"
        changes = tuple(_changes(setup, texts[path], path, diagnostic))
        if rule.id == "unknown-key":
            fix = _fix_key(setup, diagnostic, [change.new for change in changes], fix)
        yield Finding(rule, path, line, problem, fix, changes)


def _fix_key(
    setup: K3sInstallation, diagnostic: Diagnostic, correct: Sequence[str], fix: str
) -> str:
    """Return the fix for an unknown key: where it belongs, or what it is called."""
    nested = setup.registries.mirrors.get("configs")
    if nested is not None and nested.name.position < diagnostic.position:
        return "indent configs, and all below it, like mirrors: it is beside mirrors, not below"
    return f"write {correct[0]}; {fix}" if correct else fix


def _changes(
    setup: K3sInstallation, text: str, path: str, diagnostic: Diagnostic
) -> Iterator[Edit]:
    """Make the edits that fix a mistake, as far as they are certain."""
    if diagnostic.rule == "tab":
        yield from _expand_tabs(text, path, is_registries=path == setup.registries_path)
    if diagnostic.rule == "unquoted-star":
        yield Edit(path, diagnostic.position, "*", '"*"')
    if diagnostic.rule == "unknown-key":
        key = diagnostic.message.removeprefix("K3s ignores ").rpartition(": ")[0]
        correct = _CORRECT_KEYS.get(key.lower(), key.lower())
        if correct in _KNOWN_KEYS and correct != key:
            yield Edit(path, diagnostic.position, key, correct)


def _expand_tabs(text: str, path: str, *, is_registries: bool) -> Sequence[Edit]:
    """Replace the tabs that indent by spaces; no edits if no width makes the file valid."""
    lines = text.splitlines()
    for width in _WIDTHS:
        edits: list[Edit] = []
        new: list[str] = []
        for number, line in enumerate(lines, 1):
            indent = line[: len(line) - len(line.lstrip())]
            new.append(indent.expandtabs(width) + line.lstrip())
            if "\t" in indent:
                edits.append(Edit(path, Position(number, 1), indent, indent.expandtabs(width)))
        if _keeps_nesting(lines, new) and _is_valid(
            "\n".join(new).encode(), is_registries=is_registries
        ):
            return edits
    return ()


def _keeps_nesting(lines: Sequence[str], new: Sequence[str]) -> bool:
    """Return whether each line that had a tab is indented deeper than the key above it."""
    above = ""
    for old, line in zip(lines, new, strict=True):
        content = line.lstrip()
        if not content or content.startswith("#"):
            continue
        is_tab = "\t" in old[: len(old) - len(old.lstrip())]
        if is_tab and _OPEN_KEY.search(above) and not content.startswith("-"):
            minimum = len(above) - len(above.lstrip(" -"))
            if len(line) - len(content) <= minimum:
                return False
        above = line
    return True


def _is_valid(content: bytes, *, is_registries: bool) -> bool:
    if is_registries:
        return not read_registries(content)[1]
    reader = YamlReader()
    reader.read(content)
    return not reader.diagnostics
