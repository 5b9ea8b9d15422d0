"""The repository that a request means, and the way to ask it something."""

from collections.abc import Callable
from typing import Generic, TypeVar

import attrs
from twisted.logger import Logger

from minreg.errors import name_unknown
from minreg.interfaces import (
    ContentBroken,
    ContentNotFound,
    IRegistryStore,
    IRepository,
    RepositoryNotFound,
)
from minreg.web.disk import Disk
from minreg.web.request import RegistryRequest

Answer = TypeVar("Answer")


@attrs.frozen
class _Answered(Generic[Answer]):
    answer: Answer
    by_namespace: bool

    def close(self) -> None:
        """Drop an answer that came too late."""
        if close := getattr(self.answer, "close", None):
            close()


@attrs.frozen
class RepositoryAddress:
    """A repository's name, the namespace that it is asked in, and where to look for it."""

    _store: IRegistryStore
    disk: Disk
    namespace: str | None
    name: str

    _log = Logger(namespace="minreg.store")

    async def ask(
        self, request: RegistryRequest, question: Callable[[IRepository], Answer]
    ) -> Answer:
        """Find the repository and put a question to it, both in a thread.

        An answer that the namespace decided says so (distribution-spec, "Registry
        Proxying").

        Raises:
            RegistryError: There is no such repository.
            ContentNotFound: The repository does not hold what the question is about.
            StoreUnavailable: The disk does not answer.
        """
        try:
            answered = await self.disk.run(self._ask, question)
        except RepositoryNotFound:
            raise name_unknown(self.name) from None
        except ContentBroken as error:
            self._log.warn("{reason}", event="broken", reason=str(error))
            raise ContentNotFound(
                f"what {self.name} holds there is damaged: the registry's log says how to mend it"
            ) from None
        if answered.by_namespace and self.namespace is not None:
            request.setHeader(b"oci-namespace", self.namespace.encode("ascii"))
        return answered.answer

    def _ask(self, question: Callable[[IRepository], Answer]) -> _Answered[Answer]:
        repository = self._store.find_repository(self.namespace, self.name)
        return _Answered(question(repository), repository.by_namespace)
