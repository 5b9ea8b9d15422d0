"""Installs minreg on a node, and removes it again: units, links, and the files of K3s."""

import os
from collections.abc import Iterator, Sequence

import attrs

from minreg.defaults import MIRROR_NAME
from minreg.k3s.doctor.node_files import NodeFiles
from minreg.k3s.doctor.registry_service import Address, inspect_registry_service
from minreg.k3s.registries.merge import MergeRefused, merge
from minreg.k3s.registries.registries_yaml import read_registries
from minreg.k3s.registries.yaml_writer import Document
from minreg.k3s.yaml_reader import Diagnostic
from minreg.node.k3s_files import K3sFiles, is_mirrored, make_document
from minreg.node.managed_files import (
    FileState,
    ManagedFile,
    UnitLink,
    read_bytes,
    write_file,
)


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
        state = FileState.ABSENT if replaces else placement.compare(self.destination)
        if state is FileState.CURRENT:
            return Step(placement.path, "is there already")
        if state is FileState.CHANGED:
            difference = placement.difference(self.destination)
            return Step(placement.path, "was changed by hand, and stays", difference, is_left=True)
        self._write(placement, placement.stamped)
        action = "written" if state is FileState.ABSENT else "brought up to date"
        return self._change(placement.path, action)

    def _place_registries(self, files: K3sFiles, addresses: Sequence[Address]) -> Step:
        placement = files.make_registries(addresses)
        state = placement.compare(self.destination)
        if state is FileState.ABSENT and files.misnamed:
            return _misnamed(placement.path, files)
        content = read_bytes(self.destination, placement.path) or b""
        if state is not FileState.CHANGED or not content.strip():
            return self._place(placement, replaces=state is FileState.CHANGED)
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
        return attrs.evolve(self._change(path, f"{MIRROR_NAME} added"), detail=detail)

    def _place_settings(self, files: K3sFiles) -> Iterator[Step]:
        placement = files.make_settings()
        path = placement.path
        for name, reason in files.unread.items():
            yield Step(name, f"cannot be read: {reason}; {path} stays as it is", is_left=True)
        fatal = [(name, one) for name, one in files.diagnostics if one.is_fatal]
        for name, one in fatal:
            where = f"{name}:{one.position.line}:{one.position.column}"
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
        elif placement.compare(self.destination) is not FileState.ABSENT:
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
        f"{path}:{problem.position.line}:{problem.position.column}: {problem.message}\n"
        for problem in problems
    )
    return Step(path, f"{title} cannot read it, and it stays", detail, is_left=True)
