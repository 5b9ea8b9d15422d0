"""Puts files on a node, and takes them away again."""

import os
from collections.abc import Iterator, Sequence

import attrs

from minreg.node.placement import Link, Placement, State, read_file
from minreg.node.registries.mirrors import names_mirror
from minreg.node.writing import write_file


@attrs.frozen
class Step:
    """What was done, or is to be done, about one file.

    ``is_left`` says that it is left to the operator, and ``detail`` shows what.
    """

    path: str
    action: str
    detail: str = ""
    is_left: bool = False


@attrs.frozen
class Installation:
    """The files of minreg on a node.

    ``destination`` is the directory that stands for the node's root. Without ``for_real``
    the steps are only named.
    """

    units: Sequence[Placement]
    links: Sequence[Link]
    registries: Sequence[Placement]
    destination: str = "/"
    for_real: bool = True

    def install(self) -> Iterator[Step]:
        """Put in place what is missing or outdated, and tell of everything."""
        for placement in self.units:
            yield self._place(placement)
        for link in self.links:
            yield self._link(link)
        for placement in self.registries:
            yield self._place_registries(placement)

    def uninstall(self) -> Iterator[Step]:
        """Remove what is as we left it, and tell of everything that is there."""
        for link in self.links:
            if link.is_there(self.destination):
                yield self._remove(link)
        for placement in (*self.units, *self.registries):
            state = placement.compare(self.destination)
            if placement.is_ours(self.destination):
                yield self._remove(placement)
            elif state is not State.ABSENT:
                yield Step(placement.path, "is not as minreg left it, and stays", is_left=True)

    def _place(self, placement: Placement) -> Step:
        state = placement.compare(self.destination)
        if state is State.CURRENT:
            return Step(placement.path, "is there already")
        if state is State.CHANGED:
            difference = placement.difference(self.destination)
            return Step(placement.path, "was changed by hand, and stays", difference, is_left=True)
        if self.for_real:
            write_file(placement.locate(self.destination), placement.stamped)
        action = "written" if state is State.ABSENT else "brought up to date"
        return Step(placement.path, self._tense(action))

    def _place_registries(self, placement: Placement) -> Step:
        state = placement.compare(self.destination)
        if state is not State.CHANGED:
            return self._place(placement)
        path = placement.path
        if names_mirror(read_file(self.destination, path) or ""):
            return Step(path, "names this registry already")
        return Step(path, "does not name this registry: add", placement.text, is_left=True)

    def _link(self, link: Link) -> Step:
        if link.is_there(self.destination):
            return Step(link.path, "is there already")
        if not link.is_free(self.destination):
            return Step(link.path, "is something else, and stays", is_left=True)
        if self.for_real:
            place = link.locate(self.destination)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.symlink(link.target, place)
        return Step(link.path, self._tense("linked"))

    def _remove(self, thing: Placement | Link) -> Step:
        if self.for_real:
            os.unlink(thing.locate(self.destination))
        return Step(thing.path, self._tense("removed"))

    def _tense(self, action: str) -> str:
        return action if self.for_real else f"would be {action}"
