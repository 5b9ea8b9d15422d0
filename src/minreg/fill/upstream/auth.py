"""Authenticates to registries: challenges, Basic credentials, and tokens.

Sources: RFC 9110, 11.6.1 (``WWW-Authenticate``); RFC 6750 (Bearer); the token authentication
of distribution (docs/spec/auth/token.md and oauth.md).
"""

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
    """A scheme of authentication and its parameters, names in lower case."""

    scheme: str
    parameters: Mapping[str, str] = attrs.field(factory=dict)


def parse_challenges(lines: Iterable[str]) -> list[Challenge]:
    """Parse the challenges of a response; malformed ones are skipped.

    Args:
        lines: The value of each ``WWW-Authenticate`` header; one can have several challenges.
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


_MAX_TOKEN_RESPONSE = 64 * 1024
_DEFAULT_LIFETIME = 60.0
_MAX_LIFETIME = 86400.0
# Visible ASCII, which a header can carry; the grammar of tokens is narrower (RFC 6750, 2.1).
_TOKEN = re.compile(r"[!-~]+")
# Seconds. A token that is about to expire may have expired when the request arrives.
_EXPIRY_MARGIN = 5.0
_OAUTH_UNSUPPORTED = frozenset({400, 401, 404, 405})


@attrs.frozen
class _Authorization:
    header: str
    expires: float


class Authorizer:
    """Provides the ``Authorization`` header for one registry, for several threads.

    Tokens are cached by repository until they expire.

    Args:
        transport: Sends requests to token servers.
        url: The registry's URL.
        find: Returns the credentials for a repository, if there are any.
        clock: Returns the time in seconds.
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
        self._cache: dict[str, _Authorization] = {}
        self._mutex = Lock()

    def authorization(self, repository: str) -> str | None:
        """Return the header's value for a repository; None until a challenge was answered."""
        with self._mutex:
            if self._challenge is None:
                return None
            cached = self._cache.get(repository)
            if cached is None or cached.expires <= self._clock():
                cached = self._authorize(self._challenge, repository, "")
            return cached.header

    def answer(self, lines: Iterable[str], repository: str, refused: str | None) -> None:
        """Answer the challenge of a response with status 401.

        Args:
            lines: Its ``WWW-Authenticate`` headers.
            repository: The requested repository.
            refused: The ``Authorization`` header of the request, if any.

        Raises:
            UpstreamRefused: The scheme is not supported, or there are no credentials.
        """
        challenge = _choose(parse_challenges(lines))
        if challenge is None:
            raise UpstreamRefused(
                f"{self._url} demands a kind of login that is not supported", 401
            )
        with self._mutex:
            cached = self._cache.get(repository)
            # Another thread may have answered the same challenge meanwhile.
            if cached is not None and cached.header != refused:
                return
            scope = challenge.parameters.get("scope", "")
            self._authorize(challenge, repository, scope)
            # For other repositories the same challenge is answered before it is sent.
            self._challenge = challenge

    def _authorize(self, challenge: Challenge, repository: str, scope: str) -> _Authorization:
        credentials = self._find(repository)
        if credentials is not None and credentials.registry_token:
            authorization = _Authorization(f"Bearer {credentials.registry_token}", float("inf"))
        elif challenge.scheme == "basic":
            authorization = _Authorization(self._basic(credentials), float("inf"))
        else:
            authorization = self._fetch_token(challenge, credentials, _scopes(repository, scope))
        self._cache[repository] = authorization
        return authorization

    def _basic(self, credentials: Credentials | None) -> str:
        if credentials is None or not credentials.username:
            host = urlsplit(self._url).netloc
            raise UpstreamRefused(f"{host} demands a login; run docker login {host}", 401)
        return _basic(credentials)

    def _fetch_token(
        self, challenge: Challenge, credentials: Credentials | None, scopes: list[str]
    ) -> _Authorization:
        realm = challenge.parameters.get("realm", "")
        check_realm(self._url, realm)
        service = challenge.parameters.get("service", "")
        if credentials is not None and credentials.identity_token:
            response = self._request_oauth_token(
                realm, service, credentials.identity_token, scopes
            )
        else:
            response = self._request_token(realm, service, credentials, scopes)
        return self._read_token(response, realm)

    def _request_token(
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

    def _request_oauth_token(
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
        if response.status in _OAUTH_UNSUPPORTED:
            response.close()
            # Servers without OAuth take the identity token as the password of "<token>".
            credentials = Credentials("<token>", identity_token)
            return self._request_token(realm, service, credentials, scopes)
        return response

    def _read_token(self, response: Response, realm: str) -> _Authorization:
        check_available(response, realm)
        body = self._transport.read_body(response, realm, _MAX_TOKEN_RESPONSE)
        host = urlsplit(self._url).netloc
        if response.status != 200:
            raise UpstreamRefused(
                f"{host} refused the login: its token server {realm} answered with status "
                f"{response.status}; check the account with docker login {host}",
                response.status,
            )
        document = _parse_object(body)
        token = document.get("token") or document.get("access_token")
        if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
            raise UpstreamUnavailable(f"{realm} answered without a valid token")
        lifetime = document.get("expires_in")
        if not isinstance(lifetime, int) or lifetime <= 0:
            lifetime = _DEFAULT_LIFETIME
        expires = self._clock() + min(lifetime, _MAX_LIFETIME) - _EXPIRY_MARGIN
        return _Authorization(f"Bearer {token}", expires)


def _choose(challenges: list[Challenge]) -> Challenge | None:
    """Return the first Bearer challenge, else the first Basic one, else None."""
    for scheme in ("bearer", "basic"):
        for challenge in challenges:
            if challenge.scheme == scheme:
                return challenge
    return None


def _scopes(repository: str, scope: str) -> list[str]:
    """Return the scopes to request: pulling from the repository, and those of the challenge."""
    return list(dict.fromkeys([f"repository:{repository}:pull", *scope.split()]))


def _basic(credentials: Credentials) -> str:
    account = f"{credentials.username}:{credentials.password}".encode()
    return f"Basic {base64.b64encode(account).decode('ascii')}"


def _parse_object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
