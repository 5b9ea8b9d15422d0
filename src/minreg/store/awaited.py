"""A registry tree that may be served before it is there."""

import os
from collections.abc import Iterator

from minreg.interfaces import RepositoryNotFound, StoreAwaited, StoreUnavailable
from minreg.store.repository import TreeRepository
from minreg.store.tree import RegistryTree

_MEND = "unpack the registry tree there, or mount the file system that holds it"


class AwaitedTree(RegistryTree):
    """A tree whose root may come later; until then nothing can be said to be missing in it.

    A root that is empty counts as not there: so looks a mount point before its file system.
    """

    def find_repository(self, namespace: str | None, name: str) -> TreeRepository:
        """See ``IRegistryStore``."""
        try:
            return super().find_repository(namespace, name)
        except (RepositoryNotFound, StoreUnavailable):
            self.check()
            raise

    def iterate_repositories(self, after: str) -> Iterator[str]:
        """See ``IRegistryStore``."""
        self.check()
        return super().iterate_repositories(after)

    def check(self) -> None:
        """See ``IRegistryStore``.

        Raises:
            StoreAwaited: The root is not there yet, or is empty.
            StoreUnavailable: It is there, but cannot be read.
        """
        try:
            with os.scandir(self.root) as entries:
                if next(entries, None) is not None:
                    return
        except FileNotFoundError:
            raise StoreAwaited(f"root {self.root} is not there yet: {_MEND}") from None
        except OSError as error:
            raise StoreUnavailable(f"root {self.root}: {error.strerror}") from None
        raise StoreAwaited(f"root {self.root} is still empty: {_MEND}")
