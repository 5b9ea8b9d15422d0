"""What the network does, as failures that say what could not be reached, and the mend."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from urllib.parse import urlsplit

from urllib3.exceptions import HTTPError, LocationParseError, ProxyError, SSLError

from minreg.fill.failures import UpstreamRefused, UpstreamUnavailable


@contextmanager
def network_failures(url: str) -> Iterator[None]:
    """Say of an error of the network what could not be reached, and the mend."""
    host = urlsplit(url).netloc
    try:
        yield
    except ProxyError as error:
        raise UpstreamUnavailable(f"the proxy for {host} does not answer: {error}") from None
    except LocationParseError:
        raise UpstreamRefused(f"{url[:160]!r} is no web address") from None
    except SSLError as error:
        raise UpstreamRefused(f"{host}: {_tls_mend(str(error), host)}") from None
    except (HTTPError, HTTPException, OSError) as error:
        raise UpstreamUnavailable(f"{host}: {error}") from None


def _tls_mend(reason: str, host: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return "its certificate is from no authority known here: name one with --ca-file"
    if "WRONG_VERSION_NUMBER" in reason or "RECORD_LAYER_FAILURE" in reason:
        return f"it does not talk TLS: if it should not, say --plain-http {host}"
    return reason
