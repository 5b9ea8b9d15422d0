"""Tells ``twistd`` and ``twist`` that there is ``minreg``."""

from twisted.application.service import ServiceMaker

minreg = ServiceMaker(
    "minreg",
    "minreg.tap",
    "A read-only OCI registry that serves a directory tree.",
    "minreg",
)
