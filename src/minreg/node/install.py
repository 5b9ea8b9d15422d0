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
    """What was done, or would be done, about a file or a unit.

    ``detail`` are lines to print below it. ``is_left`` is true if the operator has to do something
    about it, ``is_change`` if something was changed.
    """

    path: str
    action: str
    detail: str = ""
    is_left: bool = False
    is_change: bool = False


@attrs.frozen
class Installation:
    """All files and links that minreg installs on a node.

    ``k3s`` are the files of the distributions on the node. ``destination`` is the directory that
    stands for the node's root. If ``for_real`` is false, nothing is changed.
    """

    units: Sequence[ManagedFile]
    links: Sequence[UnitLink]
    k3s: Sequence[K3sFiles] = ()
    destination: str = "/"
    for_real: bool = True

    def install(self) -> Iterator[Step]:
        """Write what is missing or outdated.

        Yields:
            A step for each file and link, changed or not.

        Raises:
            OSError: A file cannot be read or written.
        """
        for unit in self.units:
            yield self._install_file(unit)
        for link in self.links:
            yield self._install_link(link)
        # The addresses are known only now: the operator's drop-ins can change those of our units.
        addresses = self._addresses()
        for files in self.k3s:
            yield self._install_registries(files, addresses)
            yield from self._install_settings(files)

    def uninstall(self) -> Iterator[Step]:
        """Remove what was not changed since it was installed.

        Yields:
            A step for each file and link that exists.

        Raises:
            OSError: A file cannot be read or removed.
        """
        addresses = self._addresses()
        for link in self.links:
            if link.is_current(self.destination):
                yield self._remove(link)
        for unit in self.units:
            yield from self._uninstall_file(unit)
        for files in self.k3s:
            file = files.make_registries(addresses)
            content = read_bytes(self.destination, file.path) or b""
            # The file of an operator who does not use minreg is not worth a message.
            has_mirror = is_mirrored(read_registries(content)[0], addresses)
            if file.is_removable(self.destination) or has_mirror:
                yield from self._uninstall_file(file)
            yield from self._uninstall_file(files.make_settings())

    def _addresses(self) -> Sequence[Address]:
        return inspect_registry_service(NodeFiles(self.destination)).addresses

    def _install_file(self, file: ManagedFile, *, replaces: bool = False) -> Step:
        """Write a file, unless it was changed by hand and ``replaces`` is false."""
        state = FileState.ABSENT if replaces else file.compare(self.destination)
        if state is FileState.CURRENT:
            return Step(file.path, "already up to date")
        if state is FileState.CHANGED:
            difference = file.difference(self.destination)
            return Step(file.path, "changed by hand, not replaced", difference, is_left=True)
        self._write(file, file.stamped)
        return self._change(file.path, "written" if state is FileState.ABSENT else "updated")

    def _install_registries(self, files: K3sFiles, addresses: Sequence[Address]) -> Step:
        file = files.make_registries(addresses)
        state = file.compare(self.destination)
        if state is FileState.ABSENT and files.misnamed:
            return _misnamed(file.path, files)
        content = read_bytes(self.destination, file.path) or b""
        if state is not FileState.CHANGED or not content.strip():
            return self._install_file(file, replaces=state is FileState.CHANGED)
        registries, diagnostics = read_registries(content)
        fatal = [diagnostic for diagnostic in diagnostics if diagnostic.is_fatal]
        if fatal:
            return _unreadable(file.path, fatal, files.distribution.title)
        if is_mirrored(registries, addresses):
            return Step(file.path, "already has a mirror for this registry")
        return self._merge(file, content, make_document(addresses))

    def _merge(self, file: ManagedFile, content: bytes, document: Document) -> Step:
        """Add the mirror to an existing file, unless something has to be decided by hand."""
        path = file.path
        try:
            merged = merge(content, document)
        except MergeRefused:
            return Step(path, "the mirror cannot be added: add by hand", file.text, is_left=True)
        detail = "".join(f"{path}:{note.line}: {note.message}\n" for note in merged.notes)
        if any(note.is_left for note in merged.notes):
            return Step(path, "the mirror was not added", detail, is_left=True)
        self._write(file, merged.text)
        return attrs.evolve(self._change(path, f"{MIRROR_NAME} added"), detail=detail)

    def _install_settings(self, files: K3sFiles) -> Iterator[Step]:
        file = files.make_settings()
        path, title = file.path, files.distribution.title
        for name, reason in files.unread.items():
            yield Step(name, f"cannot be read: {reason}: {path} was not changed", is_left=True)
        fatal = [item for item in files.diagnostics if item[1].is_fatal]
        for name, diagnostic in fatal:
            position = f"{name}:{diagnostic.position.line}:{diagnostic.position.column}"
            yield Step(position, f"{title} cannot read it: {diagnostic.message}", is_left=True)
        if fatal or files.unread:
            return
        for name, setting, value in files.differing():
            current = setting.text or "empty"
            action = f"{name} is {current}, not changed to {value}"
            yield Step(f"{setting.path}:{setting.line}", action)
        if file.text:
            yield self._install_file(file)
        elif file.is_removable(self.destination):
            yield self._remove(file)
        else:
            yield Step(path, "not needed: these settings are in other files")

    def _install_link(self, link: UnitLink) -> Step:
        if link.is_current(self.destination):
            return Step(link.path, "already up to date")
        is_outdated = link.is_outdated(self.destination)
        if not is_outdated and not link.is_absent(self.destination):
            return Step(link.path, "not made by minreg, not replaced", is_left=True)
        if self.for_real:
            location = link.locate(self.destination)
            os.makedirs(os.path.dirname(location), exist_ok=True)
            if is_outdated:
                os.unlink(location)
            os.symlink(link.target, location)
        return self._change(link.path, "updated" if is_outdated else "linked")

    def _uninstall_file(self, file: ManagedFile) -> Iterator[Step]:
        if file.is_removable(self.destination):
            yield self._remove(file)
        elif file.compare(self.destination) is not FileState.ABSENT:
            yield Step(file.path, "changed by hand, not removed", is_left=True)

    def _remove(self, item: ManagedFile | UnitLink) -> Step:
        if self.for_real:
            os.unlink(item.locate(self.destination))
        return self._change(item.path, "removed")

    def _write(self, file: ManagedFile, text: str) -> None:
        if self.for_real:
            write_file(file.locate(self.destination), text)

    def _change(self, path: str, action: str) -> Step:
        return Step(path, action if self.for_real else f"would be {action}", is_change=True)


def _misnamed(path: str, files: K3sFiles) -> Step:
    """Report a file that was probably meant to be ``registries.yaml``."""
    name = files.misnamed[0].path
    fix = f"mv {name} {path}, and run this again"
    action = f"does not exist, and {files.distribution.title} does not read {name}: {fix}"
    return Step(path, action, is_left=True)


def _unreadable(path: str, diagnostics: Sequence[Diagnostic], title: str) -> Step:
    """Report the mistakes in a file that K3s cannot read."""
    detail = "".join(
        f"{path}:{diagnostic.position.line}:{diagnostic.position.column}: {diagnostic.message}\n"
        for diagnostic in diagnostics
    )
    return Step(path, f"{title} cannot read it, not changed", detail, is_left=True)
