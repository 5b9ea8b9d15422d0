"""``/minreg/preflight``: whether all that an upgrade of K3s needs is here.

For an upgrade plan that asks before a node is cordoned: 200 if so, 409 with a list if not.
"""

import json
from collections.abc import Mapping

from twisted.internet.defer import DeferredLock, DeferredSemaphore

from minreg.errors import release_unknown, unavailable
from minreg.interfaces import IRegistryStore
from minreg.preflight.check import check_image
from minreg.preflight.question import CannotLook, Question, ReleaseUnknown, find_images
from minreg.preflight.report import Findings, Report, find_in, make_report
from minreg.web.disk import Disk
from minreg.web.request import RegistryRequest
from minreg.web.resource import RegistryResource
from minreg.web.status.formats import send_lines, wants_list
from minreg.web.status.question import parse_question

_MOST_WAITING = 8


class PreflightResource(RegistryResource):
    """Looks at the images of a release, one after the other, so that no pull waits for it.

    Args:
        store: Where they should be.
        disk: Where that is looked at.
        aliases: Names of this registry, each with the host that is meant by it.
    """

    isLeaf = True

    def __init__(self, store: IRegistryStore, disk: Disk, aliases: Mapping[str, str]) -> None:
        super().__init__()
        self._store = store
        self._disk = disk
        self._aliases = aliases
        self._turn: DeferredSemaphore = DeferredSemaphore(1)
        self._thread: DeferredLock = DeferredLock()

    def render_GET(self, request: RegistryRequest) -> int:
        """Look, and answer.

        Raises:
            RegistryError: The query asks for nothing that could be looked at, or too many
                wait for an answer.
        """
        as_list = wants_list(request)
        question = parse_question(request.uri.partition(b"?")[2])
        if len(self._turn.waiting) >= _MOST_WAITING:
            raise unavailable("many ask at the same time: ask again a little later")
        return self.answer_later(request, self._answer(request, question, as_list=as_list))

    async def _answer(
        self, request: RegistryRequest, question: Question, *, as_list: bool
    ) -> None:
        write = _write_lines if as_list else _write_json
        await self._turn.acquire()
        try:
            report = await self._look(question)
            document = await self._disk.run_alone(self._thread, write, question, report)
        finally:
            self._turn.release()
        if not report.is_ready:
            request.setResponseCode(409)
            request.failure = report.summary()
        if as_list:
            send_lines(request, document)
        else:
            request.respond(document, b"application/json")

    async def _look(self, question: Question) -> Report:
        """Look at one image at a time, each with the disk's own patience.

        A look that was given up keeps the thread until it ends: there is never a second one.

        Raises:
            RegistryError: Which images there should be is not known here.
            StoreUnavailable: The disk does not answer.
        """
        try:
            images = await self._disk.run_alone(self._thread, find_images, self._store, question)
        except ReleaseUnknown as error:
            raise release_unknown(str(error)) from None
        except CannotLook as error:
            raise unavailable(str(error)) from None
        findings = Findings()
        for wanted in images:
            for platform in question.platforms:
                checked = await self._disk.run_alone(
                    self._thread, check_image, self._store, wanted, platform
                )
                findings.add(find_in(checked, self._aliases))
        return make_report(len(images), question.platforms, findings)


def _write_json(question: Question, report: Report) -> bytes:
    document = {"k3s": question.release, **report.as_json()}
    return json.dumps(document, indent=1).encode() + b"\n"


def _write_lines(_question: Question, report: Report) -> bytes:
    lines = [f"# {report.summary()}", *report.lines()]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
