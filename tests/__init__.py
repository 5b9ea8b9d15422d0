"""Tests of minreg."""

import os

from hypothesis import settings

from minreg.options import DAEMON_OPTIONS

# Options of the machine that the tests run on are none of the daemons that they start.
for _option in DAEMON_OPTIONS:
    os.environ.pop(_option.variable, None)
os.environ.pop("MINREG_URL", None)

# A slow machine is no failure. Under CI, the same examples each time: a red run is then the
# fault of the change at hand.
settings.register_profile("minreg", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("minreg")
