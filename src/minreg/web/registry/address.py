"""The repository that a request means, and the way to ask it something."""

from collections.abc import Callable
from io import BytesIO
from typing import Any, BinaryIO, Generic, TypeVar

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
class _Opened:
    """Content that was opened: in memory, its file closed, if it is small."""

    content: Content
    body: bytes | None = None

    def close(self) -> None:
        """Close the file."""
        self.content.close()

    def reopen(self) -> Content | None:
        """Make content of it that can be sent, if it is still there."""
        known = self.content
        file: BinaryIO | None = None
        if self.body is not None:
            file = BytesIO(self.body)
        elif known.reopen is not None:
            file = known.reopen()
        if file is None:
            return None
        return Content(file, known.size, known.digest, known.media_type, known.is_current)


@attrs.frozen
class RepositoryAddress:
    """A repository's name, the namespace that it is asked in, and where to look for it."""

    _store: IRegistryStore
    disk: Disk
    namespace: str | None
    name: str

    _log = Logger(namespace="minreg.store")

    def recall(self, request: RegistryRequest, place: str) -> Content | None:
        """Return content that was opened lately: what is small out of memory.

        Args:
            request: The request.
            place: What the content is called in the repository.
        """
        known: _Answered[_Opened] | None = self.disk.known.find(self._key(place))
        if known is None or (content := known.answer.reopen()) is None:
            return None
        self._tell_namespace(request, known)
        return content

    async def open(
        self, request: RegistryRequest, place: str, question: Callable[[IRepository], Content]
    ) -> Content:
        """Open content as ``ask`` would, so that it can be recalled.

        Args:
            request: The request.
            place: What the content is called in the repository.
            question: Opens it.
        """
        answered = await self._look(lambda repository: _read_small(question(repository)))
        self._tell_namespace(request, answered)
        opened = answered.answer
        if opened.content.is_current is not None:
            cost = len(opened.body or b"") + _OVERHEAD
            self.disk.known.keep(self._key(place), answered, opened.content.is_current, cost)
        if opened.body is None:
            return opened.content
        return attrs.evolve(opened.content, file=BytesIO(opened.body))

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


def _read_small(content: Content) -> _Opened:
    """Read content that goes out in one piece anyway; what cannot be read stays as it is."""
    if content.size > SMALL:
        return _Opened(content)
    try:
        body = content.file.read(content.size)
        content.file.seek(0)
    except OSError:
        body = b""
    if len(body) < content.size:
        return _Opened(attrs.evolve(content, is_current=None))
    content.close()
    return _Opened(content, body)
