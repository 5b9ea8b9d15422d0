"""Keeps the libraries for TLS out of the memory of a daemon that does not speak it.

Twisted loads pyOpenSSL, and with it cryptography, for every kind of endpoint if they are
installed. That is 13 MB in each process (measured: 54 MB instead of 41 MB with Twisted 26.10),
and only ``ssl:`` endpoints need it. If Twisted cannot import them, it works without TLS.

This is called before anything of ``twisted.internet`` that listens or connects is imported.
"""

import sys
from collections.abc import Iterable

_LIBRARY = "OpenSSL"
_WITHOUT_TLS = frozenset({"tcp", "tcp4", "tcp6", "unix", "systemd"})


def leave_out_tls(descriptions: Iterable[str]) -> None:
    """Keep Twisted from loading what TLS needs, unless an endpoint may need it.

    Args:
        descriptions: Twisted's descriptions of all endpoints, such as ``tcp:9080``.
    """
    kinds = {description.partition(":")[0] for description in descriptions}
    if kinds <= _WITHOUT_TLS and _LIBRARY not in sys.modules:
        # Importing a module that is None here raises ModuleNotFoundError.
        sys.modules[_LIBRARY] = None  # type: ignore[assignment]
