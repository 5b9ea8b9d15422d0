"""Parses the modules of the package, for tests of its structure."""

import ast
import importlib.util
import os
from collections.abc import Iterator, Mapping
from functools import cache, cached_property

import attrs

PACKAGE = "minreg"


@attrs.frozen(slots=False)  # for what is cached
class Module:
    """A module: its name and its syntax tree."""

    name: str
    source: str
    syntax: ast.Module = attrs.field(repr=False)

    @property
    def component(self) -> str:
        """The top-level module or folder that it belongs to; empty for the package itself."""
        return component_of(self.name)

    @property
    def lines(self) -> int:
        """The number of its lines."""
        return len(self.source.splitlines())

    def functions(self) -> Iterator[tuple[str, int]]:
        """Yield its functions and methods, each with the number of its lines."""
        for node in ast.walk(self.syntax):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1

    @cached_property
    def imported_names(self) -> frozenset[str]:
        """The names that it imports, at its top or in functions."""
        names: set[str] = set()
        for node in ast.walk(self.syntax):
            match node:
                case ast.Import(names=imported):
                    names |= {alias.name for alias in imported}
                case ast.ImportFrom(module=str(module), names=imported, level=0):
                    names |= {module, *(f"{module}.{alias.name}" for alias in imported)}
        return frozenset(names)


def component_of(name: str) -> str:
    """Return the component that a module belongs to."""
    return name.removeprefix(PACKAGE).lstrip(".").partition(".")[0]


@cache
def read_modules() -> Mapping[str, Module]:
    """Read every module of the package under test, by name."""
    specification = importlib.util.find_spec(PACKAGE)
    assert specification is not None
    assert specification.submodule_search_locations is not None
    (directory,) = specification.submodule_search_locations
    return read_directory(directory)


@cache
def read_directory(directory: str) -> Mapping[str, Module]:
    """Read every module of a directory of the package, by name."""
    return {name: _read(name, path) for name, path in _sources(directory)}


def imported_modules(module: Module, modules: Mapping[str, Module]) -> set[str]:
    """Return the modules of the package that ``module`` imports."""
    return {name for name in module.imported_names if name in modules} - {PACKAGE}


def reachable(start: str, modules: Mapping[str, Module]) -> set[str]:
    """Return the modules of the package that are loaded when ``start`` is imported."""
    found: set[str] = set()
    waiting = {start}
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= imported_modules(modules[name], modules) - found
    return found


def _sources(directory: str) -> Iterator[tuple[str, str]]:
    for parent, _, files in os.walk(directory):
        inside = os.path.relpath(parent, os.path.dirname(directory)).replace(os.sep, ".")
        for file in sorted(files):
            stem, extension = os.path.splitext(file)
            if extension == ".py":
                name = inside if stem == "__init__" else f"{inside}.{stem}"
                yield name, os.path.join(parent, file)


def _read(name: str, path: str) -> Module:
    with open(path, encoding="utf-8") as file:
        source = file.read()
    return Module(name, source, ast.parse(source, path))
