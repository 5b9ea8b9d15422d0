"""What the guides tell to type goes together."""

import os

from twisted.trial.unittest import SynchronousTestCase

_ABOVE = os.path.dirname(os.path.dirname(__file__))


class WheelsTests(SynchronousTestCase):
    """Tests for how the program is carried to a node, which has no network to add anything."""

    def test_metrics(self) -> None:
        """What is carried, and installed, has figures."""
        for guide, pattern in (
            ("README.md", r"pip wheel --wheel-dir wheels '\.\[node,metrics\]'"),
            ("README.md", r"--find-links wheels 'minreg\[node,metrics\]'"),
            ("docs/node.md", r"--find-links wheels 'minreg\[node,metrics\]'"),
        ):
            with open(os.path.join(_ABOVE, guide), encoding="utf-8") as file:
                self.assertRegex(file.read(), pattern)
