"""Errors of the network as one line for people: what could not be reached, and what to do.

urllib3 wraps the errors of sockets, TLS and HTTP in classes of its own, whose texts name
classes. None of these texts is shown.
"""

import errno
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from urllib.parse import urlsplit

from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NameResolutionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from minreg.fill.failures import HostUnreachable, UpstreamRefused, UpstreamUnavailable
from minreg.fill.upstream.pace import OWN_REASONS

_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})
_BROKEN = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED})
_TUNNEL_STATUS = re.compile(r"Tunnel connection failed: (\d{3})")
_OF_OPENSSL = re.compile(r"\[[A-Z0-9_: ]*\]\s*|\s*\(_ssl\.c:\d+\)")


@contextmanager
def network_failures(url: str, proxy: str = "") -> Iterator[None]:
    """Raise an error of the network as a failure that says what to do.

    Args:
        url: What is asked for.
        proxy: The URL of the proxy that is asked for it; empty if there is none.

    Raises:
        UpstreamRefused: Trying again does not help: a wrong URL, certificate or scheme.
        UpstreamUnavailable: All other errors.
    """
    parts = urlsplit(url)
    try:
        yield
    except LocationParseError:
        raise UpstreamRefused(f"{url[:160]!r} is no web address") from None
    except ProxyError as error:
        raise _proxy_failure(parts.netloc, parts.scheme, proxy, error.original_error) from None
    except SSLError as error:
        raise _tls_failure(_find_cause(error), parts.netloc) from None
    except (HTTPError, HTTPException, OSError) as error:
        raise _failure(error, parts.netloc, parts.scheme) from None


def _failure(error: Exception, host: str, scheme: str) -> UpstreamUnavailable:
    cause = _find_cause(error)
    proxy = f"proxy: {scheme}_proxy"
    if isinstance(error, NameResolutionError):
        return HostUnreachable(f"cannot find {host}: {_why_not_found(cause)}", proxy)
    if isinstance(error, ConnectTimeoutError) and isinstance(cause, TimeoutError):
        return HostUnreachable(f"cannot connect to {host}: no answer in time", "firewall", proxy)
    if isinstance(cause, ConnectionRefusedError):
        reason = f"cannot connect to {host}: it refuses connections"
        return HostUnreachable(reason, "another port", proxy)
    if isinstance(cause, OSError) and cause.errno in _NO_ROUTE:
        return HostUnreachable(f"cannot connect to {host}: no network here leads there", proxy)
    return UpstreamUnavailable(f"{host}: {_describe(error, cause)}")


def _why_not_found(cause: BaseException) -> str:
    if isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME:
        return "no network or DNS here, or no such host"
    return "no network or DNS here"


def _describe(error: Exception, cause: BaseException) -> str:
    """Describe what broke a connection that was there."""
    text = "the connection broke"
    if isinstance(cause, RemoteDisconnected):
        text = "it closed the connection without an answer"
    elif isinstance(cause, IncompleteRead) or "IncompleteRead" in str(error):
        text = "the connection ended before the answer was complete"
    elif isinstance(error, ReadTimeoutError) or isinstance(cause, TimeoutError):
        text = f"timed out{_own_words(cause) or ': it sent nothing, or too little'}"
    elif isinstance(cause, HTTPException):
        text = f"it does not answer as a web server does{_own_words(cause)}"
    elif isinstance(cause, OSError) and cause.strerror and cause.errno not in _BROKEN:
        text = cause.strerror
    return text


def _own_words(cause: BaseException) -> str:
    """Return what minreg itself says of a stream that is too slow or too long."""
    text = str(cause)
    return f": {text}" if text in OWN_REASONS else ""


def _proxy_failure(
    host: str, scheme: str, proxy: str, error: Exception
) -> UpstreamRefused | UpstreamUnavailable:
    """Say why a proxy does not lead to a host. A login in its URL is not shown."""
    variable = f"{scheme}_proxy"
    name = urlsplit(proxy).netloc.rpartition("@")[2]
    subject = f"the proxy {name} for {host}".replace("  ", " ")
    cause = _find_cause(error)
    tunnel = _TUNNEL_STATUS.search(str(error))
    if tunnel is not None and tunnel[1] == "407":
        return UpstreamRefused(
            f"{subject} wants a login: write it as http://USER:PASSWORD@HOST:PORT in {variable}"
        )
    if tunnel is not None:
        reason = f"{subject} does not let this through (status {tunnel[1]})"
        return UpstreamUnavailable(f"{reason}: ask who runs it, or name {host} in no_proxy")
    if isinstance(error, SSLError):
        failure = _tls_failure(cause, name)
        return type(failure)(f"{subject}: {failure}: check {variable}")
    if isinstance(error, NameResolutionError):
        reason = f"cannot be found: {_why_not_found(cause)}"
    elif isinstance(cause, ConnectionRefusedError):
        reason = "refuses connections"
    elif isinstance(error, ConnectTimeoutError) and isinstance(cause, TimeoutError):
        reason = "does not answer in time"
    else:
        reason = "does not answer"
    return UpstreamUnavailable(f"{subject} {reason}: check {variable}")


def _tls_failure(cause: BaseException, host: str) -> UpstreamRefused | UpstreamUnavailable:
    """Tell what a person must change from what may work the next time."""
    reason = str(cause)
    if "CERTIFICATE_VERIFY_FAILED" in reason or isinstance(cause, ssl.SSLCertVerificationError):
        return UpstreamRefused(f"{host}: {_certificate_problem(reason)}")
    if "WRONG_VERSION_NUMBER" in reason or "RECORD_LAYER_FAILURE" in reason:
        return UpstreamRefused(
            f"{host}: it does not talk TLS: if it should not, say --plain-http {host}"
        )
    if "UNEXPECTED_EOF" in reason:
        return UpstreamUnavailable(f"{host}: the connection broke within TLS")
    if "ALERT" in reason or "HANDSHAKE_FAILURE" in reason:
        return UpstreamUnavailable(f"{host}: it refuses to talk TLS with this machine")
    text = _OF_OPENSSL.sub("", reason).strip()
    return UpstreamUnavailable(f"{host}: TLS failed{f': {text}' if text else ''}")


def _certificate_problem(reason: str) -> str:
    lower = reason.lower()
    if "expired" in lower:
        return "its certificate has expired: renew it, or set this machine's clock"
    if "not yet valid" in lower:
        return "its certificate is not yet valid: set this machine's clock"
    if "mismatch" in lower or "doesn't match" in lower or "not valid for" in lower:
        return "its certificate is for another name: use the name that is in it"
    return "its certificate is from no authority known here: name one with --ca-file"


def _find_cause(error: BaseException) -> BaseException:
    """Return the error of the socket, TLS or HTTP that urllib3 wrapped."""
    for _ in range(8):
        inner: object = error.__cause__
        if isinstance(error, ProxyError):
            inner = error.original_error
        elif isinstance(error, ProtocolError | SSLError) and not isinstance(inner, BaseException):
            inner = error.args[-1] if error.args else None
        if not isinstance(inner, BaseException):
            break
        error = inner
    return error
