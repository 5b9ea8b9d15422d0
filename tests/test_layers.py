"""Tests for the structure of the package: what imports what, and how modules are named."""

import ast
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import chain

from twisted.trial.unittest import SynchronousTestCase

from tests.modules import (
    component_of,
    imported_modules,
    reachable,
    read_directory,
    read_modules,
)

_PURE = frozenset({"oci", "text", "defaults"})
_READING = _PURE | {"store"}
_SERVING = _READING | {"preflight", "web", "daemon", "log", "settings", "program"}

# The components that each component may import, beside itself.
LAYERS: Mapping[str, frozenset[str]] = {
    "": frozenset(),
    "text": frozenset(),
    "defaults": frozenset(),
    "prefix": frozenset(),
    "atomic": frozenset(),
    "program": frozenset(),
    "options": frozenset({"defaults"}),
    "oci": frozenset({"text"}),
    "store": _PURE,
    "preflight": _READING,
    "log": frozenset({"text"}),
    "web": _READING | {"preflight", "log", "program"},
    "settings": _PURE | {"log"},
    "daemon": _SERVING - {"daemon"},
    "tap": _SERVING | {"options"},
    "fill": _READING | {"atomic"},
    "k3s": _READING | {"settings", "preflight", "prefix", "options"},
    # What node puts on a node is what k3s knows of K3s.
    "node": _READING | {"settings", "preflight", "prefix", "atomic", "k3s", "options", "program"},
    "commands": _SERVING | {"tap", "fill", "k3s", "node", "options", "prefix", "atomic"},
    # ``serve`` defers imports before it imports Twisted.
    "cli": frozenset({"commands", "defaults", "options", "daemon"}),
    "__main__": frozenset({"cli", "daemon", "program"}),
}

# What the daemon must not need on a node.
_NOT_FOR_THE_DAEMON = frozenset(
    {"fill", "k3s", "node", "commands", "cli", "__main__", "atomic", "prefix"}
)

# Basenames that recur, and why: the modules play the same role in their folders.
RECURRING_BASENAMES: Mapping[str, str] = {
    "download": "the command, and what it does",
    "errors": "those of the registry's API, and those of filling a tree",
    "images": "the command, and those that a store has",
    "platforms": "what a platform is, and which ones a tree is filled with",
    "preflight": "the command, and the endpoint",
    "prune": "the command, and what it does",
    "sample": "the command, and what it does",
    "verify": "the command, and what it does",
}

_COMMAND = "is imported when the command runs; the module of its options imports only click"

# Modules of under 60 lines that only one module imports, and why they stay apart.
SMALL_MODULES: Mapping[str, str] = {
    "minreg.commands.missing": _COMMAND,
    "minreg.commands.prune": _COMMAND,
    "minreg.commands.sample": _COMMAND,
    "minreg.commands.serve": _COMMAND,
    "minreg.fill.upstream.authorities": "where systems keep files is no subject of transport",
    "minreg.daemon.unix_port": "loads twisted.internet.unix, which few daemons need",
}
_SMALL = 60
_LONGEST_FUNCTION = 40


class LayersTests(SynchronousTestCase):
    """Tests for imports."""

    def setUp(self) -> None:
        """Parse the package."""
        self.modules = read_modules()

    def test_each_component_is_listed(self) -> None:
        """A new component needs an entry in the table of layers."""
        components = {module.component for module in self.modules.values()}
        self.assertEqual(components, set(LAYERS))

    def test_direction(self) -> None:
        """A component imports only those that the table allows."""
        wrong = {
            f"{module.name} imports {name}"
            for module in self.modules.values()
            for name in imported_modules(module, self.modules)
            if component_of(name) not in LAYERS[module.component] | {module.component}
        }
        self.assertEqual(wrong, set())

    def test_no_circles(self) -> None:
        """No module imports itself through others."""
        circular = {
            name
            for name, module in self.modules.items()
            for imported in imported_modules(module, self.modules)
            if name in reachable(imported, self.modules)
        }
        self.assertEqual(circular, set())

    def test_daemon(self) -> None:
        """The daemon imports neither the command line nor what fills trees or sets nodes up."""
        loaded = reachable("minreg.tap", self.modules)
        wrong = {name for name in loaded if component_of(name) in _NOT_FOR_THE_DAEMON}
        imports = {name for module in loaded for name in self.modules[module].imported_names}
        libraries = {name.partition(".")[0] for name in imports}
        self.assertEqual(wrong, set())
        self.assertEqual(libraries & {"click", "yaml", "re2", "rich", "urllib3"}, set())


class NamesTests(SynchronousTestCase):
    """Tests for names and sizes."""

    def setUp(self) -> None:
        """Parse the package."""
        self.modules = read_modules()

    def test_classes(self) -> None:
        """No two classes share a name."""
        modules = defaultdict(list)
        for module in self.modules.values():
            for node in ast.walk(module.syntax):
                if isinstance(node, ast.ClassDef):
                    modules[node.name].append(module.name)
        self.assertEqual({name: found for name, found in modules.items() if len(found) > 1}, {})

    def test_basenames(self) -> None:
        """A module's basename recurs only where the list says why."""
        # A module in cli has the options of the command that its namesake in commands carries out.
        counts = Counter(
            name.rpartition(".")[2] for name in self._files() if component_of(name) != "cli"
        )
        recurring = {name for name, count in counts.items() if count > 1}
        self.assertEqual(recurring, set(RECURRING_BASENAMES))

    def test_small_modules(self) -> None:
        """A small module with a single importer is part of that, unless the list says why."""
        importers = Counter(
            name
            for module in self.modules.values()
            for name in imported_modules(module, self.modules)
        )
        small = {
            name
            for name in self._files()
            if self.modules[name].lines < _SMALL and importers[name] == 1
        }
        self.assertEqual(small, set(SMALL_MODULES))

    def test_functions(self) -> None:
        """A function fits on a screen."""
        tests = read_directory(os.path.dirname(__file__))
        long = {
            f"{name}.{function}": lines
            for name, module in chain(self.modules.items(), tests.items())
            for function, lines in module.functions()
            if lines > _LONGEST_FUNCTION
        }
        self.assertEqual(long, {})

    def _files(self) -> Iterator[str]:
        """Iterate over the names of modules that are files, not packages."""
        packages = {name.rpartition(".")[0] for name in self.modules}
        return (name for name in self.modules if name not in packages)
