"""Tests that no exception is kept after the request that it refuses.

Each ``raise`` of an exception makes its traceback longer, and a traceback holds frames: an
exception that is kept and raised again keeps every request that it ever refused.
"""

import ast
import gc
import importlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import FunctionType, ModuleType

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from minreg.web.request import RegistryRequest
from tests.modules import read_modules
from tests.status_support import BROWSER, StatusTestCase
from tests.support import write_request

REFUSED = (
    *("/", "/x", "/minreg", "/minreg/", "/minreg/images", "/minreg/images/x", "/minreg/x"),
    *("/minreg/missing?format=x", "/minreg/preflight", "/minreg/preflight?k3s=x"),
    *("/v2", "/v2/x", "/v2/x/blobs/y", "/v2/X/manifests/1", "/v2/x/manifests/1", "/v2/x/x/x"),
    *("/v2/x/tags/list", "/v2/x/tags/x", "/v2/_catalog?n=x", "/v2/x/manifests/1?ns=..", "/%00"),
)
RAW = (
    b"\x16\x03\x01",
    b"garbage\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % (b"x" * 20_000),
    b"GET / HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n" % (b"x" * 20_000),
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
)
METHODS = ("GET", "HEAD", "POST", "BREW")
SETTLED = 2.0
"""Seconds after which nothing of a request is due any more."""


class RaiseStatementsTests(SynchronousTestCase):
    """Tests for ``raise`` in the source."""

    def test_only_new_errors_are_raised(self) -> None:
        """A ``raise`` creates its exception, or raises the one that is being handled again."""
        wrong = {
            f"{module.name}:{node.lineno} raise {ast.unparse(node.exc)}"
            for module in read_modules().values()
            for node in find_stored_raises(module.syntax)
            if node.exc is not None
        }
        self.assertEqual(wrong, set())

    def test_stored_errors_are_found(self) -> None:
        """The check finds each way of raising an exception that is stored somewhere."""
        wrong = ("raise self.error", "raise ERROR", "raise errors[0]", "error = f()\nraise error")
        right = (
            "raise ValueError",
            "raise ValueError()",
            "try:\n f()\nexcept ValueError as error:\n raise error",
            "try:\n f()\nexcept ValueError as error:\n raise make(error) from error",
        )
        for source in wrong:
            self.assertEqual(len(list(find_stored_raises(ast.parse(source)))), 1, source)
        for source in right:
            self.assertEqual(len(list(find_stored_raises(ast.parse(source)))), 0, source)

    def test_no_module_holds_an_error(self) -> None:
        """No global of a module is an exception, or contains one."""
        holding = {
            f"{name}.{attribute}"
            for name in read_modules()
            if not name.endswith("__main__")
            for attribute, value in find_constants(importlib.import_module(name))
            if is_error(value) and value is not connectionDone
        }
        self.assertEqual(holding, set())


class KeptErrorsTests(StatusTestCase):
    """Tests for what stays in memory after a request was refused."""

    def setUp(self) -> None:
        """Add an image to the tree."""
        super().setUp()
        self.tree.add_image("a", "1")

    def test_no_error_is_kept(self) -> None:
        """Neither the site nor any of its resources refers to an exception, before or after."""
        self.assertEqual(find_errors(self.site), [])
        self.refuse_all()
        self.assertEqual(find_errors(self.site), [])

    def test_no_request_is_kept(self) -> None:
        """Nothing of a request that was refused stays in memory."""
        self.refuse_all()
        gc.collect()
        before = count_requests()
        for _ in range(3):
            self.refuse_all()
        gc.collect()
        self.assertEqual(count_requests(), before)

    def test_parent_of_resources(self) -> None:
        """A path that only has paths below it is answered like an unknown one."""
        for method in ("GET", "HEAD"):
            response = self.request("/minreg", method)
            self.assertEqual((response.code, response.header("allow")), (404, None))
        self.assertEqual(self.request("/minreg").error_code, "UNSUPPORTED")
        self.assertEqual(self.request("/minreg", "POST").code, 405)

    def refuse_all(self) -> None:
        """Send every request that is refused, as each kind of client."""
        asked = [
            *RAW,
            *(write_request(path, method) for path in REFUSED for method in METHODS),
            *(write_request(path, "GET", BROWSER) for path in REFUSED),
        ]
        for content in asked:
            connection = self.connect()
            connection.send(content)
            connection.leave()
        self.clock.advance(SETTLED)


def find_constants(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Yield the values in a module and its classes, also those in containers and caches."""
    waiting = [(name, value) for name, value in vars(module).items() if value is not module]
    seen = set()
    while waiting:
        name, value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield name, value
        inside: Iterable[object] = ()
        if isinstance(value, type) and value.__module__ == module.__name__:
            inside = vars(value).values()
        elif isinstance(value, Collection) and not isinstance(value, str | bytes | type):
            inside = value.values() if isinstance(value, Mapping) else value
        elif hasattr(value, "cache_info"):
            inside = gc.get_referents(value)
        waiting += [(name, held) for held in inside]


def is_error(value: object) -> bool:
    """Return whether a value is an exception, or Twisted's wrapper around one."""
    return isinstance(value, BaseException | Failure)


def find_stored_raises(
    tree: ast.AST, handled: frozenset[str] = frozenset()
) -> Iterator[ast.Raise]:
    """Yield each ``raise`` of an exception that is neither new nor being handled."""
    if isinstance(tree, ast.ExceptHandler) and tree.name is not None:
        handled |= {tree.name}
    if isinstance(tree, ast.Raise) and tree.exc and not is_new_or_handled(tree.exc, handled):
        yield tree
    for child in ast.iter_child_nodes(tree):
        yield from find_stored_raises(child, handled)


def is_new_or_handled(raised: ast.expr, handled: frozenset[str]) -> bool:
    """Return whether an expression creates an exception, or is the handled one."""
    if isinstance(raised, ast.Call):
        return True
    is_plain = isinstance(raised, ast.Name)
    while isinstance(raised, ast.Attribute | ast.Subscript):
        raised = raised.value
    if not isinstance(raised, ast.Name):
        return False
    is_class = raised.id.lstrip("_").istitle() or not (raised.id.isupper() or raised.id.islower())
    return raised.id in handled or (is_plain and is_class)


def find_errors(start: object) -> list[BaseException]:
    """Yield all exceptions that an object refers to, at any depth.

    Modules and classes are not entered, and of a function only what it encloses: all else
    is reached from them.
    """
    found, seen, waiting = [], set(), [start]
    while waiting:
        held = waiting.pop()
        if id(held) in seen or isinstance(held, ModuleType | type):
            continue
        seen.add(id(held))
        if isinstance(held, BaseException):
            found.append(held)
        elif isinstance(held, FunctionType):
            waiting += [held.__closure__, held.__defaults__, held.__kwdefaults__]
        else:
            waiting += gc.get_referents(held)
    return found


def count_requests() -> int:
    """Count the requests that are in memory."""
    return sum(isinstance(held, RegistryRequest) for held in gc.get_objects())
