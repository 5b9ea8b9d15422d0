"""A store over a tree that the test builds, without HTTP."""

import errno
import gc
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from minreg.oci.names import Digest
from minreg.store.cache import ManifestCache
from minreg.store.index import RepositoryIndexCache
from minreg.store.interfaces import Content
from minreg.store.repository import TreeRepository
from minreg.store.rooted import RootedDirectory
from minreg.store.tree import RegistryTree
from tests.trees import TreeBuilder

Refusal = TypeVar("Refusal", bound=BaseException)

ABSENT = Digest.of(b"nobody has this")
NOBODY = 65534
LATER = 10_000_000_000


def open_files() -> int:
    """Return how many files this process has open, except those of earlier tests.

    Objects of earlier tests are frozen: collecting them each time would take long.
    """
    gc.collect()
    gc.freeze()
    return len(os.listdir("/proc/self/fd"))


def last_change(root: str) -> int:
    """Return when anything below a directory changed last, in nanoseconds since the epoch."""
    return max(
        os.lstat(os.path.join(parent, name)).st_ctime_ns
        for parent, directories, files in os.walk(root)
        for name in (".", *directories, *files)
    )


class StoreTestCase(SynchronousTestCase):
    """A store over an empty tree, with methods that fill it and read from it."""

    def setUp(self) -> None:
        """Create the root, and a store whose time the test controls."""
        self.root = os.path.abspath(self.mktemp())
        os.chmod(os.path.dirname(self.root), 0o755)
        self.tree = TreeBuilder(self.root)
        self.passed = 0
        self.stopped_at: int | None = None
        self.store = RegistryTree(
            self.root, {"bootstrap-registry.airgap": "docker.io"}, now=self.now
        )
        before = open_files()
        self.addCleanup(lambda: self.assertLessEqual(open_files(), before, "left open"))

    def now(self) -> int:
        """Return the time, in nanoseconds since the epoch."""
        return time.time_ns() + self.passed if self.stopped_at is None else self.stopped_at

    def settle(self) -> None:
        """Advance the time until the fingerprints of all files are trusted."""
        self.passed += LATER

    def stop_time(self) -> None:
        """Stop the time at the last change of the tree, however slow this machine is."""
        self.stopped_at = last_change(self.root)

    def find(self, name: str = "rancher/pause", namespace: str | None = None) -> TreeRepository:
        """Return a repository of the store."""
        return self.store.find_repository(namespace, name)

    def repository(self, name: str = "rancher/pause", *allow_links_to: str) -> TreeRepository:
        """Return a repository with empty caches."""
        files = RootedDirectory(self.root, allow_links_to)
        return TreeRepository(
            name,
            by_namespace=False,
            files=files,
            manifests=ManifestCache(now=self.now),
            indexes=RepositoryIndexCache(now=self.now),
        )

    def manifest(self, reference: str | Digest, name: str = "rancher/pause") -> bytes:
        """Return the bytes of a manifest."""
        return read(self.find(name).open_manifest(reference))

    def blob(self, digest: Digest, name: str = "rancher/pause") -> bytes:
        """Return the bytes of a blob."""
        return read(self.find(name).open_blob(digest))

    def count(self, function: str) -> list[str]:
        """Return a list that gets the first argument of each call of a function of ``os``."""
        real = getattr(os, function)
        called: list[str] = []

        def noting(*args: Any, **kwargs: Any) -> object:
            called.append(str(args[0]))
            return real(*args, **kwargs)

        self.patch(os, function, noting)
        return called

    def refusal(self, expected: type[Refusal], ask: Callable[..., object], *args: Any) -> Refusal:
        """Return the exception that a function raises; it must not leave a file open."""
        before = open_files()
        try:
            answer = ask(*args)
        except expected as error:
            self.assertEqual(open_files(), before, "the refusal leaves a file open")
            self.assertIs(type(error), expected)
            return error
        return self.fail(f"{expected.__name__} was expected, not {answer!r}")


def read(content: Content) -> bytes:
    """Return all bytes of content, and close it."""
    with content.file as file:
        received = file.read()
    assert len(received) == content.size
    return received


class RootedTestCase(StoreTestCase):
    """A root with one file in it, and a directory outside of it with another one."""

    def setUp(self) -> None:
        """Create both."""
        super().setUp()
        self.outside = os.path.abspath(self.mktemp())
        os.makedirs(self.outside)
        self.secret = os.path.join(self.outside, "secret")
        with open(self.secret, "wb") as file:
            file.write(b"secret")
        self.tree.write(b"inside", "a", "file")
        self.files = RootedDirectory(self.root)

    def content(self, path: str, files: RootedDirectory | None = None) -> bytes:
        """Return the bytes of a file below the root."""
        with (files or self.files).open_file(path).file as file:
            return file.read()


@contextmanager
def without_privileges(directory: str) -> Iterator[None]:
    """Run as a user that is not root, so that permissions are checked.

    Args:
        directory: A directory that this user must be able to enter; otherwise the test is skipped.
    """
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        if not os.access(directory, os.X_OK, effective_ids=True):
            raise SkipTest(f"needs a directory that other users may enter, unlike {directory}")
        yield
    finally:
        os.seteuid(user)


def deny(test: SynchronousTestCase, function: str, *paths: str) -> None:
    """Make a function of ``os`` raise the error for missing permission for some paths.

    Unlike changing the mode of a file, this also works if the tests run as root, or in a
    directory that other users may not enter.

    Args:
        test: The test, at whose end the function is restored.
        function: The name of the function, whose first argument is a path.
        paths: The paths, as the function gets them.
    """
    real = getattr(os, function)

    def denying(path: object, *args: Any, **kwargs: Any) -> object:
        if path in paths:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path, *args, **kwargs)

    test.patch(os, function, denying)
