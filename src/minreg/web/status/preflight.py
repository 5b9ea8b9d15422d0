"""The query of ``/minreg/preflight``: what has to be there."""

import json
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from twisted.internet.defer import DeferredLock, DeferredSemaphore

from minreg.oci.errors import query_invalid, release_unknown, unavailable
from minreg.preflight.check import check_image
from minreg.preflight.query import (
    CannotCheck,
    PreflightQuery,
    QueryInvalid,
    ReleaseUnknown,
    resolve_images,
)
from minreg.preflight.report import PreflightFindings, PreflightReport, list_findings, make_report
from minreg.store.interfaces import IRegistryStore
from minreg.web.disk import DiskIO
from minreg.web.request import RegistryRequest
from minreg.web.resource import RegistryResource
from minreg.web.status.formats import send_lines, wants_list

_MOST_WORDS = 32
_SEVERAL = frozenset({"platform", "disable"})
_ONCE = frozenset({"k3s", "upgrade", "controller", "kubectl", "system-default-registry", "format"})
_YES = frozenset({"", "1", "true", "yes"})
_NO = frozenset({"0", "false", "no"})


def parse_query_string(query: bytes) -> PreflightQuery:
    """Read a query, and refuse whatever could mean that its writer is mistaken.

    Args:
        query: What stands behind the question mark of a request's target.

    Raises:
        RegistryError: A word is unknown, given twice, or has a value that cannot be.
    """
    words = _read_words(query)
    if not words.get("k3s", [""])[0]:
        raise query_invalid("k3s is missing: name the release, as in ?k3s=v1.33.4%2Bk3s1")
    upgrade = _parse_switch(words, "upgrade")
    if not upgrade and (_find(words, "controller") or _find(words, "kubectl")):
        raise query_invalid("controller and kubectl go with upgrade=yes")
    try:
        return PreflightQuery.parse(
            # A plus that was not escaped arrives as a space.
            release=words["k3s"][0].replace(" ", "+"),
            platforms=words.get("platform", []),
            disabled=words.get("disable", []),
            upgrade=upgrade,
            controller=_find(words, "controller"),
            kubectl=_find(words, "kubectl"),
            registry=_find(words, "system-default-registry"),
        )
    except QueryInvalid as error:
        raise query_invalid(str(error)) from None


def _read_words(query: bytes) -> Mapping[str, Sequence[str]]:
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_WORDS,
        )
    except ValueError:
        raise query_invalid(
            f"the query is no query in UTF-8 of at most {_MOST_WORDS} words"
        ) from None
    words: dict[str, list[str]] = {}
    for name, value in pairs:
        if name not in _SEVERAL | _ONCE:
            known = ", ".join(sorted(_SEVERAL | _ONCE))
            raise query_invalid(f"{name[:80]!r} is unknown here: these are known: {known}")
        if name in words and name in _ONCE:
            raise query_invalid(f"{name} is given more than once")
        words.setdefault(name, []).append(value)
    return words


def _parse_switch(words: Mapping[str, Sequence[str]], name: str) -> bool:
    value = words.get(name, ["no"])[0]
    if value not in _YES | _NO:
        raise query_invalid(f"{name} is yes or no")
    return value in _YES


def _find(words: Mapping[str, Sequence[str]], name: str) -> str | None:
    """Find a word's value; one that is empty counts as not given."""
    return words.get(name, [""])[0] or None


_MOST_WAITING = 8


class PreflightResource(RegistryResource):
    """Looks at the images of a release, one after the other, so that no pull waits for it.

    Args:
        store: Where they should be.
        disk: Where that is looked at.
        aliases: Names of this registry, each with the host that is meant by it.
    """

    isLeaf = True

    def __init__(self, store: IRegistryStore, disk: DiskIO, aliases: Mapping[str, str]) -> None:
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
        question = parse_query_string(request.uri.partition(b"?")[2])
        if len(self._turn.waiting) >= _MOST_WAITING:
            raise unavailable("many ask at the same time: ask again a little later")
        return self.answer_later(request, self._answer(request, question, as_list=as_list))

    async def _answer(
        self, request: RegistryRequest, question: PreflightQuery, *, as_list: bool
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

    async def _look(self, question: PreflightQuery) -> PreflightReport:
        """Look at one image at a time, each with the disk's own patience.

        A look that was given up keeps the thread until it ends: there is never a second one.

        Raises:
            RegistryError: Which images there should be is not known here.
            StoreUnavailable: The disk does not answer.
        """
        try:
            images = await self._disk.run_alone(
                self._thread, resolve_images, self._store, question
            )
        except ReleaseUnknown as error:
            raise release_unknown(str(error)) from None
        except CannotCheck as error:
            raise unavailable(str(error)) from None
        findings = PreflightFindings()
        for wanted in images:
            for platform in question.platforms:
                checked = await self._disk.run_alone(
                    self._thread, check_image, self._store, wanted, platform
                )
                findings.add(list_findings(checked, self._aliases))
        return make_report(len(images), question.platforms, findings)


def _write_json(question: PreflightQuery, report: PreflightReport) -> bytes:
    document = {"k3s": question.release, **report.as_json()}
    return json.dumps(document, indent=1).encode() + b"\n"


def _write_lines(_question: PreflightQuery, report: PreflightReport) -> bytes:
    lines = [f"# {report.summary()}", *report.lines()]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
