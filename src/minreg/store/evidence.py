"""What an answer rests on, so that one can tell whether it would be given again.

An answer follows from the state of a few places: the file that was opened, the directory
whose manifests were read, the places that came first in the lookup and held nothing. As
long as all of them are as they were, the same question has the same answer. Places are
looked at through the path that led to them, so that a link which leads elsewhere counts as
a change; that a link leads to the very file that was opened before is all that can be
asked of it.
"""

import os
from collections.abc import Callable, Mapping
from functools import partial

import attrs

from minreg.store.signatures import Signature, is_settled, signature

_MOST_PLACES = 8
"""Beyond, looking at all of them costs as much as answering anew."""


@attrs.frozen
class Evidence:
    """Gathers what answers rest on.

    ``root`` is where all paths begin; ``begun`` the time, in nanoseconds since the epoch,
    before anything was looked at; ``absent`` are paths at which there must be nothing.
    """

    _root: str
    _begun: int
    _absent: tuple[str, ...] = ()

    def check(
        self,
        directory: str,
        found: Mapping[str, os.stat_result],
        watched: Mapping[str, Signature | None] | None,
    ) -> Callable[[], bool] | None:
        """Make a function that tells whether all is as it was.

        Args:
            directory: What all paths but the absent ones begin with.
            found: Paths, and what was seen there.
            watched: More paths, and their known signatures; None if these are not to be
                trusted.

        Returns:
            None if something changed so recently that another change could not be told
            from it, or if there is too much to look at.
        """
        if watched is None or not all(is_settled(seen, self._begun) for seen in found.values()):
            return None
        states = {**watched, **{path: signature(seen) for path, seen in found.items()}}
        if len(states) + len(self._absent) > _MOST_PLACES:
            return None
        place = os.path.join(self._root, directory)
        places: list[tuple[str, Signature | None]]
        places = [(os.path.join(self._root, path), None) for path in self._absent]
        places += [(os.path.join(place, path), state) for path, state in states.items()]
        return partial(_are_unchanged, tuple(places))


def _are_unchanged(places: tuple[tuple[str, Signature | None], ...]) -> bool:
    for path, state in places:
        try:
            found = os.stat(path)
        except OSError:
            if state is not None:
                return False
        else:
            if state is None or state != signature(found):
                return False
    return True
