"""Lets a test run as if minreg were a program of its own, which contains Python."""

import sys

from twisted.trial.unittest import SynchronousTestCase

PROGRAM = "/opt/minreg/bin/minreg"


def become_standalone(case: SynchronousTestCase) -> None:
    """Until the end of the test, be the program ``PROGRAM``."""
    sys.frozen = True  # type: ignore[attr-defined]
    case.addCleanup(delattr, sys, "frozen")
    case.patch(sys, "executable", PROGRAM)
