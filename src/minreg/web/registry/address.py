"""The repository that a request means, and the way to ask it something."""

from collections.abc import Callable
from io import BytesIO
from typing import Any, Generic, TypeVar

import attrs
from twisted.logger import Logger

from minreg.errors import name_unknown, unavailable
from minreg.interfaces import (
    Content,
    ContentBroken,
    ContentNotFound,
    ContentUnreadable,
    IRegistryStore,
    IRepository,
    RepositoryNotFound,
)
from minreg.web.disk import Disk
from minreg.web.request import RegistryRequest
from minreg.web.sending.streaming import SMALL

Answer = TypeVar("Answer")

_OVERHEAD = 2048
"""Bytes that known content takes besides its own, about."""


@attrs.frozen
class _Answered(Generic[Answer]):
    answer: Answer
    by_namespace: bool

    def close(self) -> None:
        """Drop an answer that came too late."""
        if close := getattr(self.answer, "close", None):
            close()


@attrs.frozen
class _SmallContent:
    """Content that is in memory; its file is closed."""

    content: Content
    body: bytes

    def open(self) -> Content:
        """Make content of it that can be sent."""
        known = self.content
        return Content(
            BytesIO(self.body), known.size, known.digest, known.media_type, known.is_current
        )


@attrs.frozen
class RepositoryAddress:
    """A repository's name, the namespace that it is asked in, and where to look for it."""

    _store: IRegistryStore
    disk: Disk
    namespace: str | None
    name: str

    _log = Logger(namespace="minreg.store")

    def recall(self, request: RegistryRequest, place: str) -> Content | None:
        """Return content that is in memory, for it is small and was opened lately.

        Args:
            request: The request.
            place: What the content is called in the repository.
        """
        known: _Answered[_SmallContent] | None = self.disk.known.find(self._key(place))
        if known is None:
            return None
        self._tell_namespace(request, known)
        return known.answer.open()

    async def open(
        self, request: RegistryRequest, place: str, question: Callable[[IRepository], Content]
    ) -> Content:
        """Open content as ``ask`` would, so that it can be recalled if it is small.

        Args:
            request: The request.
            place: What the content is called in the repository.
            question: Opens it.
        """
        answered = await self._look(lambda repository: _read_small(question(repository)))
        self._tell_namespace(request, answered)
        small = answered.answer
        if isinstance(small, Content):
            return small
        if small.content.is_current is not None:
            cost = len(small.body) + _OVERHEAD
            kept = _Answered(small, answered.by_namespace)
            self.disk.known.keep(self._key(place), kept, small.content.is_current, cost)
        return small.open()

    def _key(self, place: str) -> tuple[str | None, str, str]:
        return self.namespace, self.name, place

    async def ask(
        self, request: RegistryRequest, question: Callable[[IRepository], Answer]
    ) -> Answer:
        """Find the repository and put a question to it, both in a thread.

        An answer that the namespace decided says so (distribution-spec, "Registry
        Proxying").

        Raises:
            RegistryError: There is no such repository, or it may not be read.
            ContentNotFound: The repository does not hold what the question is about.
            StoreUnavailable: The disk does not answer.
        """
        answered = await self._look(question)
        self._tell_namespace(request, answered)
        return answered.answer

    async def _look(self, question: Callable[[IRepository], Answer]) -> _Answered[Answer]:
        try:
            return await self.disk.run(self._ask, question)
        except RepositoryNotFound:
            raise name_unknown(self.name) from None
        except ContentBroken as error:
            self._log.warn("{reason}", event="broken", reason=str(error))
            raise self._refuse_broken(error) from None

    def _refuse_broken(self, error: ContentBroken) -> Exception:
        where, mend = f"what {self.name} holds there", "the registry's log says how to mend it"
        if isinstance(error, ContentUnreadable):
            return unavailable(f"{where} cannot be read: {mend}")
        return ContentNotFound(f"{where} is damaged: {mend}")

    def _tell_namespace(self, request: RegistryRequest, answered: _Answered[Any]) -> None:
        if answered.by_namespace and self.namespace is not None:
            request.setHeader(b"oci-namespace", self.namespace.encode("ascii"))

    def _ask(self, question: Callable[[IRepository], Answer]) -> _Answered[Answer]:
        repository = self._store.find_repository(self.namespace, self.name)
        return _Answered(question(repository), repository.by_namespace)


def _read_small(content: Content) -> Content | _SmallContent:
    """Read content that goes out in one piece anyway; what cannot be read stays as it is."""
    if content.size > SMALL:
        return content
    try:
        body = content.file.read(content.size)
        content.file.seek(0)
    except OSError:
        return content
    if len(body) < content.size:
        return content
    content.close()
    return _SmallContent(content, body)
