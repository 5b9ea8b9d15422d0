"""Tests of the store with several threads that read while a file is changed."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from threading import Event, Thread

from minreg.oci.names import Digest
from minreg.store.interfaces import ContentInvalid, ContentNotFound
from minreg.store.rooted import RootedDirectory
from tests.store_support import StoreTestCase, read

NAME = "rancher/pause"
ROUNDS = 150


class RacesTests(StoreTestCase):
    """Tests for requests during a change, which get the complete old or new content."""

    def race(self, write: Callable[[int], None], ask: Callable[[], None]) -> None:
        """Call ``ask`` in three threads, as often as possible, while ``write`` is called."""
        done = Event()
        faults: list[BaseException] = []

        def keep_asking() -> None:
            try:
                while not done.is_set():
                    ask()
            except BaseException as fault:  # noqa: BLE001 - told to the test's own thread
                faults.append(fault)

        threads = [Thread(target=keep_asking) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for at in range(ROUNDS):
                write(at)
        finally:
            done.set()
            for thread in threads:
                thread.join()
        self.assertEqual(faults, [])

    def replace(self, content: bytes, *names: str) -> None:
        """Replace a file atomically."""
        os.replace(self.tree.write(content, ".new"), self.tree.path(*names))

    def test_moving_tag(self) -> None:
        """A tag that is moved gives one manifest or the other, and either can be fetched."""
        images = [self.tree.image(b"%d" % at) for at in range(2)]
        for image in images:
            self.tree.add_manifest(NAME, image)
        written = [json.dumps(image).encode() for image in images]
        self.tree.write(written[0], NAME, "manifests", "latest")

        def ask() -> None:
            content = self.find().open_manifest("latest")
            assert Digest.of(read(content)) == content.digest
            assert read(self.find().open_manifest(content.digest)) in written
            assert self.find().list_tags() == ["latest"]

        def write(at: int) -> None:
            self.replace(written[at % 2], NAME, "manifests", "latest")

        self.race(write, ask)

    def test_coming_and_going(self) -> None:
        """A manifest that is added and removed is found or not, without another error."""
        digest = self.tree.add_image(NAME, "3.6")
        path = self.tree.path(NAME, "manifests", str(digest))
        with open(path, "rb") as file:
            written = file.read()

        def ask() -> None:
            try:
                content = self.find().open_manifest(digest)
            except ContentNotFound as error:
                assert type(error) is ContentNotFound, error
                return
            assert read(content) == written
            self.find().list_referrers(digest)
            assert list(self.store.iterate_repositories("")) == [NAME]

        def write(at: int) -> None:
            if at % 2:
                self.replace(written, NAME, "manifests", str(digest))
            else:
                os.unlink(path)

        self.race(write, ask)

    def test_removed_while_listed(self) -> None:
        """A directory that is removed while its parent is listed is skipped."""
        os.makedirs(self.tree.path("a", "manifests"))
        real = RootedDirectory.scan

        @contextlib.contextmanager
        def scan(files: RootedDirectory, path: str) -> Iterator[object]:
            with real(files, path) as (status, entries):
                listed = list(entries)
                if path == "a":
                    with contextlib.suppress(FileNotFoundError):
                        os.rmdir(self.tree.path("a", "manifests"))
                yield status, iter(listed)

        self.patch(RootedDirectory, "scan", scan)
        self.assertEqual(list(self.store.iterate_repositories("")), ["a"])
        self.assertEqual(list(self.store.iterate_repositories("")), [])

    def test_link_that_turns(self) -> None:
        """A link that is replaced while it is followed never leads out of the root."""
        secret = os.path.abspath(self.mktemp())
        with open(secret, "wb") as file:
            file.write(b"secret")
        self.tree.write(b"inside", "inside")
        os.symlink("inside", self.tree.path("link"))
        files = RootedDirectory(self.root)

        def ask() -> None:
            try:
                opened = files.open_file("link")
            except ContentInvalid as error:
                assert secret in str(error), error
                return
            with opened.file as file:
                assert file.read() == b"inside"

        def write(at: int) -> None:
            os.symlink(secret if at % 2 else "inside", self.tree.path(".new"))
            os.replace(self.tree.path(".new"), self.tree.path("link"))

        self.race(write, ask)

    def test_tree_that_is_exchanged(self) -> None:
        """A root that is a link may be pointed to another tree at any time."""
        self.tree.add_image(NAME, "3.6")
        os.rename(self.root, f"{self.root}.a")
        os.symlink(f"{self.root}.a", f"{self.root}.b")
        os.symlink(f"{self.root}.a", self.root)

        def ask() -> None:
            read(self.find().open_manifest("3.6"))
            read(self.find().open_blob(Digest.of(b"layer")))

        def write(at: int) -> None:
            os.symlink(f"{self.root}.{'ab'[at % 2]}", f"{self.root}.new")
            os.replace(f"{self.root}.new", self.root)

        self.race(write, ask)
