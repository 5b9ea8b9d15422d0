"""Tests of minreg."""

import os

from hypothesis import settings

from tests.isolation import clean_environment, watch

# A slow machine is no failure. Under CI, the same examples each time: a red run is then the
# fault of the change at hand.
settings.register_profile("minreg", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("minreg")

# Trees that the tests make are readable for all users.
os.umask(0o022)
clean_environment(os.environ)
watch()
