"""The house stands: nothing imports upward, and nothing grows beyond a page or two."""

import os
from collections.abc import Iterator, Mapping
from itertools import chain

from twisted.trial.unittest import SynchronousTestCase

from tests.modules import (
    Module,
    imported_modules,
    reachable,
    read_directory,
    read_modules,
    room_of,
)

PURE = frozenset(
    {"names", "media_types", "manifests", "references", "errors", "words", "defaults", "options"}
)
READING = PURE | {"interfaces", "store"}
SERVING = READING | {"preflight", "web", "daemon", "log", "settings"}

# What a part of the house may import, beside its own modules.
LAYERS: Mapping[str, frozenset[str]] = {
    "": frozenset(),
    "names": frozenset(),
    "media_types": frozenset(),
    "errors": frozenset(),
    "words": frozenset(),
    "prefix": frozenset(),
    "defaults": frozenset(),
    "options": frozenset({"defaults"}),
    "manifests": frozenset({"names", "media_types"}),
    "references": frozenset({"names"}),
    "interfaces": PURE,
    "store": PURE | {"interfaces"},
    "preflight": READING,
    "web": READING | {"preflight"},
    "log": frozenset({"words"}),
    "settings": PURE | {"log"},
    "daemon": SERVING - {"daemon"},
    "tap": SERVING,
    "fill": READING,
    "node": READING | {"settings", "preflight"},
    "commands": SERVING | {"tap", "fill", "node"},
    "cli": frozenset({"commands", "defaults", "options"}),
    "__main__": frozenset({"cli"}),
}

# What the daemon has no use for, and must not need on a node.
NOT_FOR_THE_DAEMON = frozenset({"fill", "node", "commands", "cli", "__main__"})


class LayersTests(SynchronousTestCase):
    """Tests for how the modules stand upon one another."""

    def setUp(self) -> None:
        """Read the package under test."""
        self.modules = read_modules()

    def test_every_module_has_its_place(self) -> None:
        """A new part of the house first gets a place in the table of layers."""
        self.assertEqual({module.room for module in self.modules.values()} - set(LAYERS), set())

    def test_nothing_imports_upward(self) -> None:
        """A part of the house knows nothing of the parts that stand upon it."""
        upward = {
            f"{module.name} imports {name}"
            for module in self.modules.values()
            for name in imported_modules(module, self.modules)
            if room_of(name) not in LAYERS[module.room] | {module.room}
        }
        self.assertEqual(upward, set())

    def test_no_circles(self) -> None:
        """No module needs itself, however long the way round."""
        circular = {
            name
            for name, module in self.modules.items()
            for imported in imported_modules(module, self.modules)
            if name in reachable(imported, self.modules)
        }
        self.assertEqual(circular, set())

    def test_the_daemon_is_small(self) -> None:
        """A node that only serves loads neither the command line nor what fills a tree."""
        loaded = reachable("minreg.tap", self.modules)
        foreign = {name for name in loaded if room_of(name) in NOT_FOR_THE_DAEMON}
        imports = {name for module in loaded for name in self.modules[module].imported_names}
        self.assertEqual(foreign, set())
        libraries = {name.partition(".")[0] for name in imports}
        self.assertEqual(libraries & {"click", "yaml", "re2"}, set())

    def test_modules_stay_short(self) -> None:
        """A module that outgrows 600 lines is split."""
        long = {name: module.lines for name, module in self.everything() if module.lines > 600}
        self.assertEqual(long, {})

    def test_functions_stay_short(self) -> None:
        """A function fits on a screen: it has 40 lines at most."""
        long = {
            f"{name}.{function}": lines
            for name, module in self.everything()
            for function, lines in module.functions()
            if lines > 40
        }
        self.assertEqual(long, {})

    def everything(self) -> Iterator[tuple[str, Module]]:
        """Go through the package and its tests."""
        tests = read_directory(os.path.dirname(__file__))
        return chain(self.modules.items(), tests.items())
