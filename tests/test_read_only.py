"""Tests for which modules may write files: the daemon only reads."""

import ast
import re
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from tests.modules import read_modules

# The modules that may change files: those that fill trees, and those
# that install files on a node.
# minreg.commands.terminal opens /dev/null, in place of a standard output that cannot be written.
WRITERS = (
    "minreg.atomic",
    "minreg.commands.terminal",
    "minreg.fill",
    "minreg.node.install",
    "minreg.node.managed_files",
)

# What ``os`` and ``shutil`` offer to change a disk, and the flags that ask for it.
CHANGES = re.compile(
    r"f?chmod|f?chown|copy\w*|f\w*sync|f?truncate|link|symlink|unlink|ma?k\w*|move|remove\w*"
    r"|rename\w*|replace|rm\w*|utime|O_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)",
)
READING_MODES = frozenset({"r", "rb", "rt"})


class ReadOnlyTests(SynchronousTestCase):
    """Tests for opening files in the package."""

    def test_only_writers_write(self) -> None:
        """No module that the daemon loads opens a file for writing, or changes a directory."""
        writing = {
            f"{module.name}:{line}"
            for module in read_modules().values()
            if not any(f"{module.name}.".startswith(f"{writer}.") for writer in WRITERS)
            for line in lines_that_write(module.syntax)
        }
        self.assertEqual(writing, set())


class LinesThatWriteTests(SynchronousTestCase):
    """Tests for recognizing what writes."""

    def test_writing(self) -> None:
        """Every way of opening for writing, or of changing a directory, is found."""
        for source in (
            "open(path, 'wb')",
            "open(path, mode='r+b')",
            "io.open(path, mode)",
            "os.open(path, os.O_RDONLY | os.O_CREAT)",
            "os.fdopen(descriptor, 'a')",
            "os.replace(old, new)",
            "shutil.copytree(old, new)",
            "tempfile.TemporaryFile()",
            "path.parent.write_text('x')",
            "from os import symlink",
        ):
            self.assertEqual(set(lines_that_write(ast.parse(source))), {1}, source)

    def test_reading(self) -> None:
        """Code that only reads is not reported."""
        for source in (
            "open(path)",
            "open(path, 'rb')",
            "os.open(path, os.O_RDONLY | os.O_NOFOLLOW)",
            "os.fdopen(descriptor, 'rb')",
            "name.replace('a', 'b')",
            "tree.open(path)",
            "headers.copy()",
            "from os import fstat",
        ):
            self.assertEqual(set(lines_that_write(ast.parse(source))), set(), source)


def lines_that_write(syntax: ast.AST) -> Iterator[int]:
    """Yield where a module opens something for writing, or changes a directory."""
    for node in ast.walk(syntax):
        match node:
            case (
                ast.Call(func=ast.Name(id="open"))
                | ast.Call(
                    func=ast.Attribute(value=ast.Name(id="io" | "os"), attr="open" | "fdopen"),
                )
            ) if not _only_reads(node):
                yield node.lineno
            case ast.Attribute(attr=name, value=ast.Name(id=owner)) if _changes(owner, name):
                yield node.lineno
            case ast.Attribute(attr="write_bytes" | "write_text"):
                yield node.lineno
            case ast.ImportFrom(module=str(owner), names=names) if any(
                _changes(owner, alias.name) for alias in names
            ):
                yield node.lineno


def _changes(owner: str, name: str) -> bool:
    """Return whether the function of a module with this name changes a disk."""
    return owner == "tempfile" or (
        owner in {"os", "shutil"} and CHANGES.fullmatch(name) is not None
    )


def _only_reads(call: ast.Call) -> bool:
    """Return whether the mode is a literal that only reads; flags are checked separately."""
    if ast.unparse(call.func) == "os.open":
        return True
    modes = [*call.args[1:2], *(word.value for word in call.keywords if word.arg == "mode")]
    return all(isinstance(mode, ast.Constant) and mode.value in READING_MODES for mode in modes)
