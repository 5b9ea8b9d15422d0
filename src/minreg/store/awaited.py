"""A registry tree that may be served before it is there."""

import os

from minreg.interfaces import StoreAwaited
from minreg.store.tree import RegistryTree

_MEND = "unpack the registry tree there, or mount the file system that holds it"

_OF_A_FILE_SYSTEM = "lost+found"
"""What a new file system has at its top (mke2fs(8))."""


class AwaitedTree(RegistryTree):
    """A tree whose root may come later; until then nothing can be said to be missing in it.

    A root that is empty counts as not there: so looks a mount point before its file system.
    """

    def check(self) -> None:
        """See ``IRegistryStore``.

        Raises:
            StoreAwaited: The root is not there yet, or is empty.
            StoreUnavailable: It is there, but cannot be read.
        """
        try:
            with os.scandir(self.root) as entries:
                is_empty = all(entry.name == _OF_A_FILE_SYSTEM for entry in entries)
        except FileNotFoundError:
            raise StoreAwaited(f"root {self.root} is not there yet: {_MEND}") from None
        except OSError:
            is_empty = False
        if is_empty:
            raise StoreAwaited(f"root {self.root} is still empty: {_MEND}")
        super().check()
