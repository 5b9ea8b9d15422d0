"""Tests for ``minreg.daemon.lazy_imports``."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from importlib import import_module, invalidate_caches
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from minreg.daemon.lazy_imports import DEFERRED, DeferredModule, defer_imports

_PACKAGE = "minreg_test_lazy"
_WRITE_COUNT = "import builtins\nbuiltins.minreg_test_runs += 1\n"

# Builds the whole daemon, and then uses what was deferred.
_DAEMON = """
import json, sys
from minreg.daemon.lazy_imports import DEFERRED, defer_imports, leave_out_tls
defer_imports()
leave_out_tls(["tcp:0"])
from importlib import import_module
from twisted.internet import reactor
from minreg.settings import ListenEndpoint, Settings
import minreg.commands.serve, minreg.daemon.assembly, minreg.daemon.worker

settings = Settings(root="/nonexistent", listen=(ListenEndpoint("--port 0", "tcp:0"),),
                    waits_for_root=True)
minreg.daemon.assembly.make_service(settings, sys.stdout, reactor)
idle = sorted(name for name, module in sys.modules.items() if module is not None)
pending = [name for name in DEFERRED if type(sys.modules.get(name)).__name__ == "DeferredModule"]
import asyncio, http.cookiejar, twisted.spread.pb, twisted.web.util, bz2, lzma
same = [getattr(import_module(name), word) is getattr(import_module(where), word)
        for name, words in DEFERRED.items() for word, where in words.items()]
used = [asyncio.run(asyncio.sleep(0, "ran")), http.cookiejar.CookieJar.__name__,
        twisted.spread.pb.Root.__name__, twisted.web.util.redirectTo.__name__,
        bz2.decompress(bz2.compress(b"bz2")).decode(),
        lzma.decompress(lzma.compress(b"lzma")).decode()]
same += [getattr(import_module(name), word) is getattr(import_module(where), word)
         for name, words in DEFERRED.items() for word, where in words.items()]
left = [name for name in DEFERRED if type(sys.modules[name]) is not type(sys)]
print(json.dumps([idle, pending, same, used, left]))
"""


class DeferTestCase(SynchronousTestCase):
    """A test with a package of its own."""

    def setUp(self) -> None:
        """Write the package, and restore the import system after the test."""
        self.directory = os.path.abspath(self.mktemp())
        self.write("__init__", "")
        self.patch(sys, "path", [self.directory, *sys.path])
        self.patch(sys, "meta_path", list(sys.meta_path))
        builtins: Any = import_module("builtins")
        builtins.minreg_test_runs = 0
        self.addCleanup(delattr, builtins, "minreg_test_runs")
        self.addCleanup(self.forget)
        self.builtins = builtins

    def forget(self) -> None:
        """Forget the modules of the package."""
        for name in [name for name in sys.modules if name.startswith(_PACKAGE)]:
            del sys.modules[name]

    def write(self, name: str, text: str) -> None:
        """Write a module of the package, or the package itself; its code counts its runs."""
        path = os.path.join(self.directory, _PACKAGE, f"{name}.py")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(_WRITE_COUNT * (name == "late") + text)
        invalidate_caches()

    def defer(self, **elsewhere: str) -> ModuleType:
        """Import the module ``late``, deferred."""
        self.defer_all({f"{_PACKAGE}.late": elsewhere})
        return import_module(f"{_PACKAGE}.late")

    def defer_all(self, deferred: Mapping[str, Mapping[str, str]]) -> None:
        """Defer modules, and no others."""
        sys.meta_path[:] = [
            finder for finder in sys.meta_path if "Deferring" not in type(finder).__name__
        ]
        defer_imports(deferred)

    @property
    def runs(self) -> int:
        """How often the code of ``late`` ran."""
        runs: int = self.builtins.minreg_test_runs
        return runs


class DeferImportsTests(DeferTestCase):
    """Tests for ``defer_imports``."""

    def test_first_use(self) -> None:
        """The code runs at the first use, once; then the module is like any other."""
        self.write("late", "value = 1\n")
        late = self.defer()
        self.assertIs(type(late), DeferredModule)
        namespace: dict[str, Any] = {}
        exec(f"from {_PACKAGE} import late\nimport {_PACKAGE}.late", namespace)  # noqa: S102
        self.assertIs(namespace["late"], late)
        self.assertEqual(self.runs, 0)
        self.assertEqual((late.value, late.value, self.runs), (1, 1, 1))
        self.assertIs(type(late), ModuleType)
        self.assertIsInstance(late.__loader__, SourceFileLoader)
        self.assertIs(import_module(f"{_PACKAGE}.late"), late)
        error = self.assertRaises(AttributeError, getattr, late, "absent")
        self.assertIn("has no attribute 'absent'", str(error))

    def test_from_import(self) -> None:
        """``from … import name`` is a use, and so is the import of all names."""
        for names in ("value", "*"):
            self.forget()
            self.write("late", "value = 1\n")
            self.defer()
            namespace: dict[str, Any] = {}
            exec(f"from {_PACKAGE}.late import {names}", namespace)  # noqa: S102
            self.assertEqual(namespace["value"], 1)

    def test_absent(self) -> None:
        """A name that the module does not define is an AttributeError, as always."""
        self.write("late", "")
        error = self.assertRaises(AttributeError, getattr, self.defer(), "absent")
        self.assertEqual(str(error), f"module '{_PACKAGE}.late' has no attribute 'absent'")

    def test_elsewhere(self) -> None:
        """A name that another module defines is taken from there, and the code does not run."""
        self.write("early", "class Name: pass\n")
        self.write("late", f"from {_PACKAGE}.early import Name\nvalue = 1\n")
        late = self.defer(Name=f"{_PACKAGE}.early")
        name = late.Name
        self.assertEqual(self.runs, 0)
        self.assertEqual((late.value, self.runs), (1, 1))
        self.assertIs(late.Name, name)

    def test_no_longer_elsewhere(self) -> None:
        """If the other module does not define it, the code runs."""
        self.write("early", "")
        self.write("late", "Name = 1\n")
        late = self.defer(Name=f"{_PACKAGE}.early")
        self.assertEqual((late.Name, self.runs), (1, 1))

    def test_other_module_absent(self) -> None:
        """So it does if there is no such module."""
        self.write("late", "Name = 1\n")
        late = self.defer(Name=f"{_PACKAGE}.early")
        self.assertEqual((late.Name, self.runs), (1, 1))

    def test_submodules(self) -> None:
        """A submodule of a deferred package can be used before and after the package's code."""
        self.write("__init__", f"{_WRITE_COUNT}from .one import value\n")
        self.write("one", "from . import two\nvalue = two.value\n")
        self.write("two", "value = 2\n")
        self.defer_all({_PACKAGE: {}})
        self.forget()
        package = import_module(_PACKAGE)
        self.assertEqual((package.one.value, package.two.value, self.runs), (2, 2, 0))
        self.assertEqual((package.value, self.runs), (2, 1))

    def test_circle(self) -> None:
        """What the code imports may look up names that the code has not defined yet."""
        self.write("late", f"first = 1\nfrom {_PACKAGE} import other\nlast = 2\n")
        self.write(
            "other",
            f"from {_PACKAGE} import late\nseen = late.first, hasattr(late, 'last')\n",
        )
        late = self.defer()
        self.assertEqual(late.last, 2)
        self.assertEqual(import_module(f"{_PACKAGE}.other").seen, (1, False))

    def test_error(self) -> None:
        """An error in the code is raised, at each use until the code succeeds."""
        self.write("late", "1 / 0\n")
        late = self.defer()
        self.assertRaises(ZeroDivisionError, getattr, late, "value")
        self.write("late", "value = 1\n")
        self.assertEqual(late.value, 1)

    def test_threads(self) -> None:
        """Threads that use it at the same time get the same names; the code runs once."""
        self.write("late", "import time\ntime.sleep(0)\nvalue = object()\n")
        late = self.defer()
        found: list[object] = []
        threads = [threading.Thread(target=lambda: found.append(late.value)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((len(found), len(set(map(id, found))), self.runs), (8, 1, 1))

    def test_twice(self) -> None:
        """Calling it again changes nothing."""
        before = len(sys.meta_path)
        defer_imports({})
        defer_imports({})
        self.assertEqual(len(sys.meta_path), before + 1)


class DaemonTests(SynchronousTestCase):
    """Tests for the daemon, in a process of its own."""

    def test_daemon(self) -> None:
        """The daemon does not load what it does not use, and can use it afterwards."""
        ended = subprocess.run(
            [sys.executable, "-c", _DAEMON], check=False, capture_output=True, text=True
        )
        self.assertEqual(ended.returncode, 0, ended.stderr)
        idle, pending, same, used, left = json.loads(ended.stdout)
        unused = {
            *("asyncio.base_events", "twisted.spread.banana", "twisted.web._template_util"),
            *("xml.sax", "ssl", "http.client", "_bz2", "_lzma", "OpenSSL", "cryptography"),
        }
        self.assertEqual(unused & set(idle), set())
        self.assertEqual(set(pending), set(DEFERRED))
        self.assertTrue(all(same))
        self.assertEqual(used, ["ran", "CookieJar", "Root", "redirectTo", "bz2", "lzma"])
        self.assertEqual(left, [])
