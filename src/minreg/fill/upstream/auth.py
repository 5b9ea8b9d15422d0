"""Reads what a server wants to know of a client (``WWW-Authenticate``; RFC 9110, 11.6.1)."""

import base64
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import attrs

from minreg.fill.errors import UpstreamRefused, UpstreamUnavailable
from minreg.fill.upstream.credentials import Credentials
from minreg.fill.upstream.transport import Response, Transport, check_available
from minreg.fill.upstream.url_policy import check_realm

_AUTH_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - the grammar's word
_SCHEME = re.compile(rf"[\s,]*({_AUTH_TOKEN})(?:\s+(?![\s=])|\s*(?=,|\Z))")
_PARAMETER = re.compile(rf'[\s,]*({_AUTH_TOKEN})\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]*)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@attrs.frozen
class Challenge:
    """One way to authenticate: its scheme and parameters, names in lower case."""

    scheme: str
    parameters: Mapping[str, str] = attrs.field(factory=dict)


def parse_challenges(lines: Iterable[str]) -> list[Challenge]:
    """Read the challenges of a response; what cannot be read is left out.

    Args:
        lines: The value of each ``WWW-Authenticate`` line; one may hold several.
    """
    return [challenge for line in lines for challenge in _parse_line(line)]


def _parse_line(line: str) -> list[Challenge]:
    challenges = []
    at = 0
    while match := _SCHEME.match(line, at):
        at = match.end()
        parameters = {}
        while parameter := _PARAMETER.match(line, at):
            at = parameter.end()
            parameters[parameter[1].lower()] = _unquoted(parameter[2])
        challenges.append(Challenge(match[1].lower(), parameters))
    return challenges


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    return _ESCAPED.sub(r"\1", value[1:-1])


_LARGEST_TOKEN = 64 * 1024
_DEFAULT_LIFE = 60.0
_LONGEST_LIFE = 86400.0
# What a header can carry as one word; tokens keep to less (RFC 6750, 2.1).
_TOKEN = re.compile(r"[!-~]+")
# A token that is about to expire may have expired when the request arrives.
_MARGIN = 5.0
_NO_OAUTH = frozenset({400, 401, 404, 405})


@attrs.frozen
class _Authorization:
    header: str
    expires: float


class Authorizer:
    """Keeps what one registry wants to see in ``Authorization``. For several threads.

    Args:
        transport: To ask token servers with.
        url: The registry's address.
        find: Finds the account for a repository.
        clock: The time in seconds.
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        find: Callable[[str], Credentials | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._url = url
        self._find = find
        self._clock = clock
        self._challenge: Challenge | None = None
        self._known: dict[str, _Authorization] = {}
        self._mutex = Lock()

    def authorization(self, repository: str) -> str | None:
        """Give the header's value for a repository; None while nobody asked for one."""
        with self._mutex:
            if self._challenge is None:
                return None
            known = self._known.get(repository)
            if known is None or known.expires <= self._clock():
                known = self._authorize(self._challenge, repository, "")
            return known.header

    def answer(self, lines: Iterable[str], repository: str, refused: str | None) -> None:
        """Take up the challenge of a response with status 401.

        Args:
            lines: Its ``WWW-Authenticate`` lines.
            repository: What was asked for.
            refused: The ``Authorization`` that the request had.

        Raises:
            UpstreamRefused: There is no account that could answer it.
        """
        challenge = _choose(parse_challenges(lines))
        if challenge is None:
            raise UpstreamRefused(f"{self._url} wants a login of a kind that is not known", 401)
        with self._mutex:
            known = self._known.get(repository)
            if known is not None and known.header != refused:
                return
            scope = challenge.parameters.get("scope", "")
            self._authorize(challenge, repository, scope)
            # What could be answered is a way into the other repositories as well.
            self._challenge = challenge

    def _authorize(self, challenge: Challenge, repository: str, scope: str) -> _Authorization:
        credentials = self._find(repository)
        if credentials is not None and credentials.registry_token:
            found = _Authorization(f"Bearer {credentials.registry_token}", float("inf"))
        elif challenge.scheme == "basic":
            found = _Authorization(self._basic(credentials), float("inf"))
        else:
            found = self._fetch_token(challenge, credentials, _scopes(repository, scope))
        self._known[repository] = found
        return found

    def _basic(self, credentials: Credentials | None) -> str:
        if credentials is None or not credentials.username:
            host = urlsplit(self._url).netloc
            raise UpstreamRefused(f"{host} wants a login: docker login {host}", 401)
        return _basic(credentials)

    def _fetch_token(
        self, challenge: Challenge, credentials: Credentials | None, scopes: list[str]
    ) -> _Authorization:
        realm = challenge.parameters.get("realm", "")
        check_realm(self._url, realm)
        service = challenge.parameters.get("service", "")
        if credentials is not None and credentials.identity_token:
            response = self._ask_oauth(realm, service, credentials.identity_token, scopes)
        else:
            response = self._ask(realm, service, credentials, scopes)
        return self._read_token(response, realm)

    def _ask(
        self, realm: str, service: str, credentials: Credentials | None, scopes: list[str]
    ) -> Response:
        parts = urlsplit(realm)
        query = [("service", service)] if service else []
        query += [("scope", scope) for scope in scopes]
        extended = "&".join(part for part in (parts.query, urlencode(query)) if part)
        url = urlunsplit(parts._replace(query=extended))
        authorization = None
        if credentials is not None and credentials.username:
            authorization = _basic(credentials)
        response, _ = self._transport.follow("GET", url, {}, authorization)
        return response

    def _ask_oauth(
        self, realm: str, service: str, identity_token: str, scopes: list[str]
    ) -> Response:
        form = {
            "grant_type": "refresh_token",
            "service": service,
            "client_id": "minreg",
            "scope": " ".join(scopes),
            "refresh_token": identity_token,
        }
        response = self._transport.send(
            "POST",
            realm,
            {"Content-Type": "application/x-www-form-urlencoded"},
            urlencode(form).encode("ascii"),
        )
        if response.status in _NO_OAUTH:
            response.close()
            # Servers without OAuth take the identity token as the password of "<token>".
            stand_in = Credentials("<token>", identity_token)
            return self._ask(realm, service, stand_in, scopes)
        return response

    def _read_token(self, response: Response, realm: str) -> _Authorization:
        check_available(response, realm)
        body = self._transport.read_body(response, realm, _LARGEST_TOKEN)
        host = urlsplit(self._url).netloc
        if response.status != 200:
            raise UpstreamRefused(
                f"{host} lets nobody in: its token server {realm} answered with status "
                f"{response.status}; check the account with docker login {host}",
                response.status,
            )
        answer = _as_object(body)
        token = answer.get("token") or answer.get("access_token")
        if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
            raise UpstreamUnavailable(f"{realm} answered without a token")
        life = answer.get("expires_in")
        seconds = min(life, _LONGEST_LIFE) if isinstance(life, int) and life > 0 else _DEFAULT_LIFE
        return _Authorization(f"Bearer {token}", self._clock() + seconds - _MARGIN)


def _choose(challenges: list[Challenge]) -> Challenge | None:
    """Choose Bearer if it is offered, and Basic else."""
    for scheme in ("bearer", "basic"):
        for challenge in challenges:
            if challenge.scheme == scheme:
                return challenge
    return None


def _scopes(repository: str, scope: str) -> list[str]:
    """What to ask for: to pull from the repository, and what else was demanded."""
    wanted = f"repository:{repository}:pull"
    return list(dict.fromkeys([wanted, *scope.split()]))


def _basic(credentials: Credentials) -> str:
    account = f"{credentials.username}:{credentials.password}".encode()
    return f"Basic {base64.b64encode(account).decode('ascii')}"


def _as_object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
