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
        raise _tls_failure(str(error), host) from None
    except (HTTPError, HTTPException, OSError) as error:
        raise UpstreamUnavailable(f"{host}: {error}") from None


def _tls_failure(reason: str, host: str) -> UpstreamRefused | UpstreamUnavailable:
    """Tell what a person must mend from what may work the next time."""
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        mend = "its certificate is from no authority known here: name one with --ca-file"
        return UpstreamRefused(f"{host}: {mend}")
    if "WRONG_VERSION_NUMBER" in reason or "RECORD_LAYER_FAILURE" in reason:
        mend = f"it does not talk TLS: if it should not, say --plain-http {host}"
        return UpstreamRefused(f"{host}: {mend}")
    return UpstreamUnavailable(f"{host}: {reason}")
