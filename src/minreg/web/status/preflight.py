"""``/minreg/preflight``: whether the registry has all images that a node will pull.

A module of its own, because it is loaded at the first request.
"""

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
from minreg.web.request import RegistryRequest, RegistryResource
from minreg.web.status.formats import send_lines, wants_list

_MOST_PARAMETERS = 32
_REPEATABLE = frozenset({"platform", "disable"})
_SINGLE = frozenset(
    {"k3s", "upgrade", "controller", "kubectl", "system-default-registry", "format"}
)
_YES = frozenset({"", "1", "true", "yes"})
_NO = frozenset({"0", "false", "no"})


def parse_query_string(query: bytes) -> PreflightQuery:
    """Parse the query of a request. Anything that may be a mistake is an error.

    Args:
        query: The part of the request's target after the question mark.

    Raises:
        RegistryError: A parameter is missing, unknown, repeated or invalid.
    """
    parameters = _parse_parameters(query)
    if not parameters.get("k3s", [""])[0]:
        raise query_invalid("k3s is missing: add the release, such as ?k3s=v1.33.4%2Bk3s1")
    upgrade = _parse_switch(parameters, "upgrade")
    if not upgrade and (_find(parameters, "controller") or _find(parameters, "kubectl")):
        raise query_invalid("controller and kubectl need upgrade=yes")
    try:
        return PreflightQuery.parse(
            # A plus that was not escaped arrives as a space.
            release=parameters["k3s"][0].replace(" ", "+"),
            platforms=parameters.get("platform", []),
            disabled=parameters.get("disable", []),
            upgrade=upgrade,
            controller=_find(parameters, "controller"),
            kubectl=_find(parameters, "kubectl"),
            registry=_find(parameters, "system-default-registry"),
        )
    except QueryInvalid as error:
        raise query_invalid(str(error)) from None


def _parse_parameters(query: bytes) -> Mapping[str, Sequence[str]]:
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_PARAMETERS,
        )
    except ValueError:
        raise query_invalid(
            f"the query is invalid: it must be UTF-8 with at most {_MOST_PARAMETERS} parameters"
        ) from None
    parameters: dict[str, list[str]] = {}
    for name, value in pairs:
        if name not in _REPEATABLE | _SINGLE:
            allowed = ", ".join(sorted(_REPEATABLE | _SINGLE))
            raise query_invalid(f"{name[:80]!r} is unknown: use {allowed}")
        if name in parameters and name in _SINGLE:
            raise query_invalid(f"{name} is repeated: give it once")
        parameters.setdefault(name, []).append(value)
    return parameters


def _parse_switch(parameters: Mapping[str, Sequence[str]], name: str) -> bool:
    value = parameters.get(name, ["no"])[0]
    if value not in _YES | _NO:
        raise query_invalid(f"{name} is invalid: use yes or no")
    return value in _YES


def _find(parameters: Mapping[str, Sequence[str]], name: str) -> str | None:
    """Return the value of a parameter; None if it is missing or empty."""
    return parameters.get(name, [""])[0] or None


_MOST_WAITING = 8


class PreflightResource(RegistryResource):
    """Checks whether the store has the images that a query means.

    One request is handled at a time, and one image is checked at a time in a thread, so that
    pulls continue meanwhile.

    Args:
        store: The store.
        disk: Runs the checks in a thread.
        aliases: Names of this registry, each with the upstream host that it stands for.
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
        """Send the report: with status 200 if all images are complete, else 409.

        Raises:
            RegistryError: The query is invalid, or too many requests are waiting.
        """
        as_list = wants_list(request)
        query = parse_query_string(request.uri.partition(b"?")[2])
        if len(self._turn.waiting) >= _MOST_WAITING:
            raise unavailable("too many preflights are waiting: retry in a minute")
        return self.answer_later(request, self._answer(request, query, as_list=as_list))

    async def _answer(
        self, request: RegistryRequest, query: PreflightQuery, *, as_list: bool
    ) -> None:
        write = _write_lines if as_list else _write_json
        await self._turn.acquire()
        try:
            report = await self._check(query)
            document = await self._disk.run_alone(self._thread, write, query, report)
        finally:
            self._turn.release()
        if not report.is_ready:
            request.setResponseCode(409)
            request.failure = report.summary()
        if as_list:
            send_lines(request, document)
        else:
            request.respond(document, b"application/json")

    async def _check(self, query: PreflightQuery) -> PreflightReport:
        """Check the images one by one. The disk's timeout applies to each.

        After a timeout, the thread is occupied until the check ends: no second one is started.

        Raises:
            RegistryError: The images that the query means cannot be determined.
            StoreUnavailable: The disk does not answer.
        """
        try:
            images = await self._disk.run_alone(self._thread, resolve_images, self._store, query)
        except ReleaseUnknown as error:
            raise release_unknown(str(error)) from None
        except CannotCheck as error:
            raise unavailable(str(error)) from None
        findings = PreflightFindings()
        for required in images:
            for platform in query.platforms:
                checked = await self._disk.run_alone(
                    self._thread, check_image, self._store, required, platform
                )
                findings.add(list_findings(checked, self._aliases))
        return make_report(len(images), query.platforms, findings)


def _write_json(query: PreflightQuery, report: PreflightReport) -> bytes:
    document = {"k3s": query.release, **report.as_json()}
    return json.dumps(document, indent=1).encode() + b"\n"


def _write_lines(_query: PreflightQuery, report: PreflightReport) -> bytes:
    lines = [f"# {report.summary()}", *report.lines()]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
