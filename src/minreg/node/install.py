"""Files on a node that come from us: which of them are as we left them.

The first line of each says what we wrote below it. As long as that is so, the file is ours
to replace or to remove; after any change it is the operator's.
"""

import difflib
import errno
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from enum import Enum

import attrs

from minreg.k3s.doctor.files import NodeFiles
from minreg.k3s.doctor.registry_service import Address, inspect_registry_service
from minreg.k3s.registries.file import read_registries
from minreg.k3s.registries.merge import MergeRefused, merge
from minreg.k3s.registries.yaml_edit import Document
from minreg.k3s.registries.yaml_reader import Diagnostic
from minreg.node.k3s_files import REGISTRY, K3sFiles, is_mirrored, make_document

_STAMP = "# Installed by minreg node install, which leaves it alone once it is changed. sha256:"

_MOST_LINKS = 40
"""Links on the way to a file, as the kernel has it (path_resolution(7))."""


class State(Enum):
    """How a file that we would write stands to what is there."""

    ABSENT = "absent"
    CURRENT = "current"
    OUTDATED = "outdated"
    CHANGED = "changed"


@attrs.frozen
class ManagedFile:
    """A text that belongs at a path.

    ``path`` is that on the node.
    """

    path: str
    text: str

    @property
    def stamped(self) -> str:
        """The text behind the line that lets us know it again."""
        return f"{_STAMP}{_digest(self.text)}\n{self.text}"

    def locate(self, destination: str) -> str:
        """Find the place of the file."""
        return locate(destination, self.path)

    def compare(self, destination: str) -> State:
        """Look at what is there.

        Args:
            destination: The directory that stands for the node's root.

        Raises:
            OSError: It cannot be read.
        """
        there = read_file(destination, self.path)
        if there is None:
            return State.ABSENT
        if there in (self.stamped, self.text):
            return State.CURRENT
        return State.OUTDATED if _is_untouched(there) else State.CHANGED

    def is_ours(self, destination: str) -> bool:
        """Tell whether what is there is as some run of ours left it."""
        there = read_file(destination, self.path)
        return there is not None and _is_untouched(there)

    def difference(self, destination: str) -> str:
        """Show what would have to change in the file that is there, as ``diff -u`` does."""
        return "".join(
            difflib.unified_diff(
                _without_stamp(read_file(destination, self.path) or "").splitlines(keepends=True),
                self.text.splitlines(keepends=True),
                self.path,
                f"{self.path} (of minreg)",
            )
        )


@attrs.frozen
class UnitLink:
    """A symbolic link, such as one that ``systemctl enable`` makes.

    ``former`` are targets that earlier runs of ours gave it.
    """

    path: str
    target: str
    former: tuple[str, ...] = ()

    def is_there(self, destination: str) -> bool:
        """Return whether the link is as it should be."""
        return self._read(destination) == self.target

    def is_outdated(self, destination: str) -> bool:
        """Return whether the link is as an earlier run of ours made it."""
        return self._read(destination) in self.former

    def is_free(self, destination: str) -> bool:
        """Tell whether nothing is in its place."""
        return not os.path.lexists(self.locate(destination))

    def locate(self, destination: str) -> str:
        """Find the place of the link itself."""
        directory, name = os.path.split(self.path)
        return os.path.join(locate(destination, directory), name)

    def _read(self, destination: str) -> str | None:
        with suppress(OSError):
            return os.readlink(self.locate(destination))
        return None


def read_file(destination: str, path: str) -> str | None:
    """Read a file of the node as text, if it is there."""
    content = read_bytes(destination, path)
    if content is None:
        return None
    text = content.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_bytes(destination: str, path: str) -> bytes | None:
    """Read a file of the node, if it is there."""
    with suppress(FileNotFoundError, NotADirectoryError):
        with open(locate(destination, path), "rb") as file:
            return file.read()
    return None


def locate(destination: str, path: str) -> str:
    """Find the place of a path of the node below the directory that stands for its root.

    Links lead to where they lead on the node: one to ``/data`` is one to that directory of
    the node, as for chroot(2).

    Raises:
        OSError: There are too many links on the way.
    """
    place, parts, links = "/", path.split("/")[::-1], 0
    while parts:
        place = os.path.normpath(os.path.join(place, parts.pop()))
        target = _target(os.path.join(destination, place[1:]))
        if target is None:
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(
                errno.ELOOP, os.strerror(errno.ELOOP), os.path.join(destination, path[1:])
            )
        place = os.path.dirname(place)
        parts += target.split("/")[::-1]
        if target.startswith("/"):
            place = "/"
    return os.path.join(destination, place[1:])


def _target(path: str) -> str | None:
    with suppress(OSError):
        return os.readlink(path)
    return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _is_untouched(content: str) -> bool:
    first, _, text = content.partition("\n")
    return first.startswith(_STAMP) and first.removeprefix(_STAMP) == _digest(text)


def _without_stamp(content: str) -> str:
    return content.partition("\n")[2] if content.startswith(_STAMP) else content


def write_file(path: str, text: str, mode: int = 0o644) -> None:
    """Put a file in the place of the one that is there, if there is one.

    Args:
        path: The file; a link is replaced, not followed.
        text: What it is to hold; its line ends are kept.
        mode: Who may read it. What is there already is given no more rights than it has.

    Raises:
        OSError: It cannot be written; what was there is there still.
    """
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with suppress(FileNotFoundError):
        mode &= os.stat(path).st_mode
    new = f"{path}.minreg-new"
    with suppress(FileNotFoundError):
        os.unlink(new)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        os.fchmod(descriptor, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise


@attrs.frozen
class Step:
    """What was done, or is to be done, about one file or unit.

    ``is_left`` says that it is left to the operator, and ``detail`` shows what. ``is_change``
    says that something is not as it was before.
    """

    path: str
    action: str
    detail: str = ""
    is_left: bool = False
    is_change: bool = False


@attrs.frozen
class Installation:
    """The files of minreg on a node.

    ``k3s`` are the files of each distribution that the node has. ``destination`` is the
    directory that stands for the node's root. Without ``for_real`` the steps are only named.
    """

    units: Sequence[ManagedFile]
    links: Sequence[UnitLink]
    k3s: Sequence[K3sFiles] = ()
    destination: str = "/"
    for_real: bool = True

    def install(self) -> Iterator[Step]:
        """Put in place what is missing or outdated, and tell of everything."""
        for placement in self.units:
            yield self._place(placement)
        for link in self.links:
            yield self._link(link)
        # Where minreg listens is known once its units are there: operators add to them.
        addresses = self._addresses()
        for files in self.k3s:
            yield self._place_registries(files, addresses)
            yield from self._place_settings(files)

    def uninstall(self) -> Iterator[Step]:
        """Remove what is as we left it, and tell of everything that is there."""
        addresses = self._addresses()
        for link in self.links:
            if link.is_there(self.destination):
                yield self._remove(link)
        for placement in self.units:
            yield from self._take_away(placement)
        for files in self.k3s:
            placement = files.make_registries(addresses)
            content = read_bytes(self.destination, placement.path) or b""
            is_named = is_mirrored(read_registries(content)[0], addresses)
            if placement.is_ours(self.destination) or is_named:
                yield from self._take_away(placement)
            yield from self._take_away(files.make_settings())

    def _addresses(self) -> Sequence[Address]:
        return inspect_registry_service(NodeFiles(self.destination)).addresses

    def _place(self, placement: ManagedFile, *, replaces: bool = False) -> Step:
        """Write a file, unless it was changed by hand and nothing says to replace it."""
        state = State.ABSENT if replaces else placement.compare(self.destination)
        if state is State.CURRENT:
            return Step(placement.path, "is there already")
        if state is State.CHANGED:
            difference = placement.difference(self.destination)
            return Step(placement.path, "was changed by hand, and stays", difference, is_left=True)
        self._write(placement, placement.stamped)
        action = "written" if state is State.ABSENT else "brought up to date"
        return self._change(placement.path, action)

    def _place_registries(self, files: K3sFiles, addresses: Sequence[Address]) -> Step:
        placement = files.make_registries(addresses)
        state = placement.compare(self.destination)
        if state is State.ABSENT and files.misnamed:
            return _misnamed(placement.path, files)
        content = read_bytes(self.destination, placement.path) or b""
        if state is not State.CHANGED or not content.strip():
            return self._place(placement, replaces=state is State.CHANGED)
        registries, problems = read_registries(content)
        fatal = [problem for problem in problems if problem.is_fatal]
        if fatal:
            return _unreadable(placement.path, fatal, files.distribution.title)
        if is_mirrored(registries, addresses):
            return Step(placement.path, "names this registry already")
        return self._merge(placement, content, make_document(addresses))

    def _merge(self, placement: ManagedFile, content: bytes, document: Document) -> Step:
        """Add to a file, unless something of it is left to the operator."""
        path = placement.path
        try:
            merged = merge(content, document)
        except MergeRefused:
            action = "does not name this registry, and stays: add by hand"
            return Step(path, action, placement.text, is_left=True)
        detail = "".join(f"{path}:{note.line}: {note.message}\n" for note in merged.notes)
        if any(note.is_left for note in merged.notes):
            return Step(path, "does not name this registry, and stays", detail, is_left=True)
        self._write(placement, merged.text)
        return attrs.evolve(self._change(path, f"{REGISTRY} added"), detail=detail)

    def _place_settings(self, files: K3sFiles) -> Iterator[Step]:
        placement = files.make_settings()
        path = placement.path
        for name, reason in files.unread.items():
            yield Step(name, f"cannot be read: {reason}; {path} stays as it is", is_left=True)
        fatal = [(name, one) for name, one in files.problems if one.is_fatal]
        for name, one in fatal:
            where = f"{name}:{one.place.line}:{one.place.column}"
            action = f"{files.distribution.title} cannot read it: {one.message}"
            yield Step(where, action, is_left=True)
        if fatal or files.unread:
            return
        for name, setting, value in files.differing():
            where = f"{setting.path}:{setting.line}"
            given = setting.text or "empty"
            yield Step(where, f"{name} is {given}, and stays: minreg would set it to {value}")
        if placement.text:
            yield self._place(placement)
        elif placement.is_ours(self.destination):
            yield self._remove(placement)
        else:
            yield Step(path, "is not needed: the settings stand elsewhere already")

    def _link(self, link: UnitLink) -> Step:
        if link.is_there(self.destination):
            return Step(link.path, "is there already")
        is_outdated = link.is_outdated(self.destination)
        if not is_outdated and not link.is_free(self.destination):
            return Step(link.path, "is something else, and stays", is_left=True)
        if self.for_real:
            place = link.locate(self.destination)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            if is_outdated:
                os.unlink(place)
            os.symlink(link.target, place)
        return self._change(link.path, "brought up to date" if is_outdated else "linked")

    def _take_away(self, placement: ManagedFile) -> Iterator[Step]:
        """Remove a file that is as we left it; another one that is there is the operator's."""
        if placement.is_ours(self.destination):
            yield self._remove(placement)
        elif placement.compare(self.destination) is not State.ABSENT:
            yield Step(placement.path, "is not as minreg left it, and stays", is_left=True)

    def _remove(self, thing: ManagedFile | UnitLink) -> Step:
        if self.for_real:
            os.unlink(thing.locate(self.destination))
        return self._change(thing.path, "removed")

    def _write(self, placement: ManagedFile, text: str) -> None:
        if self.for_real:
            write_file(placement.locate(self.destination), text)

    def _change(self, path: str, action: str) -> Step:
        return Step(path, action if self.for_real else f"would be {action}", is_change=True)


def _misnamed(path: str, files: K3sFiles) -> Step:
    """Say that there is a file that was meant to be the one that K3s reads."""
    name = files.misnamed[0].path
    fix = f"mv {name} {path}, and run this again"
    action = f"is missing, and {files.distribution.title} does not read {name}: {fix}"
    return Step(path, action, is_left=True)


def _unreadable(path: str, problems: Sequence[Diagnostic], title: str) -> Step:
    """Say where in a file there is something that K3s cannot read."""
    detail = "".join(
        f"{path}:{problem.place.line}:{problem.place.column}: {problem.message}\n"
        for problem in problems
    )
    return Step(path, f"{title} cannot read it, and it stays", detail, is_left=True)
