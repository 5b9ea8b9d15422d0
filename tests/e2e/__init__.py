"""Tests that start the daemon as a user would, and drive it with real clients."""

import os

from tests.e2e.programs import GO_TOOLS

os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), GO_TOOLS])
