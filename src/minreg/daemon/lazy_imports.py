"""Keeps out of the daemon's memory what Twisted imports and the daemon does not use.

Twisted imports asyncio, Perspective Broker, an HTTP client's cookie jar and its templates in
every process, for features that the daemon does not use, or uses only for the page. They need
about 5 MB. ``defer_imports`` has them loaded at their first use instead. The module that an
importer gets is the real one: only its code runs later. Nothing is replaced, so every feature of
Twisted works.

The libraries for TLS need 13 MB more, and Twisted works without them. ``leave_out_tls`` keeps them
out completely, unless an endpoint needs them.

This module imports nothing but the standard library: it is called before Twisted is imported.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Importing it loads importlib.resources, tempfile, bz2 and lzma.
    from importlib.abc import Loader

DEFERRED: Mapping[str, Mapping[str, str]] = {
    # Twisted's Deferreds can be converted to and from Futures.
    "asyncio": {
        "AbstractEventLoop": "asyncio.events",
        "Future": "asyncio.futures",
        "iscoroutine": "asyncio.coroutines",
    },
    # zipfile, which Twisted imports to find plugins, can read archives that are compressed so.
    "bz2": {},
    "lzma": {},
    # twisted.python.compat has it under its name in Python 2.
    "http.cookiejar": {},
    # A request of twisted.web can be sent to another process.
    "twisted.spread.pb": {
        "Copyable": "twisted.spread.flavors",
        "ViewPoint": "twisted.spread.flavors",
    },
    # Error pages, with an XML parser for their templates.
    "twisted.web.util": {},
}
"""The modules whose code runs at their first use.

Each has the names that Twisted needs as soon as it imports the module, and the modules that define
them. If a module does not define such a name, as in another version of Twisted, the code of the
deferred module runs at once.
"""


class DeferredModule(ModuleType):
    """A module whose code runs when a name is first looked up that is not known yet."""

    __spec__: ModuleSpec

    def __getattr__(self, name: str) -> Any:
        """Find a name elsewhere, or run the module's code, which defines it.

        Raises:
            AttributeError: The module does not define the name, or not yet.
        """
        spec, pending = self.__spec__, self.__spec__.loader_state
        # The import system asks any module whether it is a package.
        if name == "__path__":
            raise _missing(spec, name)
        if name in pending.elsewhere:
            with suppress(ModuleNotFoundError, AttributeError):
                return getattr(import_module(pending.elsewhere[name]), name)
        if spec.submodule_search_locations is not None and find_spec(f"{spec.name}.{name}"):
            return import_module(f"{spec.name}.{name}")
        pending.run(self)
        if type(self) is DeferredModule:
            raise _missing(spec, name)
        return getattr(self, name)


def _missing(spec: ModuleSpec, name: str) -> AttributeError:
    return AttributeError(f"module {spec.name!r} has no attribute {name!r}")


class _PendingCode:
    """The code of a module that has not run yet.

    Args:
        loader: The loader that runs it.
        elsewhere: Names, and the modules that define them.
    """

    def __init__(self, loader: "Loader", elsewhere: Mapping[str, str]) -> None:
        self.elsewhere = elsewhere
        self._loader = loader
        self._lock = RLock()
        self._is_running = False

    def run(self, module: DeferredModule) -> None:
        """Run the code, once; its own imports may look up names of the unfinished module.

        Raises:
            Exception: Whatever the code raises. It then runs again at the next use.
        """
        with self._lock:
            if self._is_running or type(module) is not DeferredModule:
                return
            self._is_running = True
            try:
                self._loader.exec_module(module)
            finally:
                self._is_running = False
            module.__spec__.loader_state = None
            # An ordinary module from now on.
            ordinary: Any = ModuleType
            module.__class__ = ordinary


class _DeferringLoader:
    """Makes a module, and leaves its code to the first use."""

    def __init__(self, loader: "Loader", elsewhere: Mapping[str, str]) -> None:
        self._loader = loader
        self._elsewhere = elsewhere

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module, without any names."""
        return DeferredModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Note the loader that will run the code."""
        spec: Any = module.__spec__
        spec.loader = module.__loader__ = self._loader
        spec.loader_state = _PendingCode(self._loader, self._elsewhere)


class _DeferringFinder:
    """Finds the modules of a table as the other finders do, and defers their code."""

    def __init__(self, deferred: Mapping[str, Mapping[str, str]]) -> None:
        self.deferred = deferred

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module of the table, None for any other."""
        if fullname not in self.deferred:
            return None
        for finder in sys.meta_path:
            if not isinstance(finder, _DeferringFinder):
                spec = finder.find_spec(fullname, path, target)
                if spec is not None and spec.loader is not None:
                    deferring: Any = _DeferringLoader(spec.loader, self.deferred[fullname])
                    spec.loader = deferring
                    return spec
        return None


def defer_imports(deferred: Mapping[str, Mapping[str, str]] = DEFERRED) -> None:
    """Have the code of some modules run at their first use, not when they are imported.

    Modules that are already imported stay as they are. This is called before Twisted is imported.

    Args:
        deferred: The modules, as in ``DEFERRED``.
    """
    if not any(isinstance(finder, _DeferringFinder) for finder in sys.meta_path):
        finder: Any = _DeferringFinder(deferred)
        sys.meta_path.insert(0, finder)


_TLS_LIBRARY = "OpenSSL"
_WITHOUT_TLS = frozenset({"tcp", "tcp4", "tcp6", "unix", "systemd"})


def leave_out_tls(descriptions: Iterable[str]) -> None:
    """Keep Twisted from loading what TLS needs, unless an endpoint may need it.

    Twisted loads pyOpenSSL, and with it cryptography, wherever they are installed, for whatever
    listens (measured: 54 MB instead of 41 MB with Twisted 26.10). This is called before anything
    of ``twisted.internet`` that listens or connects is imported.

    Args:
        descriptions: Twisted's descriptions of all endpoints, such as ``tcp:9080``.
    """
    kinds = {description.partition(":")[0] for description in descriptions}
    if kinds <= _WITHOUT_TLS and _TLS_LIBRARY not in sys.modules:
        # Importing a module that is None here raises ModuleNotFoundError.
        sys.modules[_TLS_LIBRARY] = None  # type: ignore[assignment]
