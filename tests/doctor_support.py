"""What the tests of the doctor's rules share."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.nodes import REGISTRIES, make_healthy_node

MIRRORS = """\
mirrors:
  bootstrap-registry.airgap:
    endpoint:
      - "http://127.0.0.1:9080"
"""


class RulesTestCase(SynchronousTestCase):
    """A healthy node, for a test to break one thing on it."""

    def setUp(self) -> None:
        """Make the node."""
        self.node = make_healthy_node(self.mktemp())

    def set_registries(self, text: str | bytes) -> None:
        """Write ``registries.yaml``, and have K3s read it."""
        self.node.write(REGISTRIES, text)
        self.node.restart_k3s()

    def assert_found(self, *golden: tuple[str, str, str, str]) -> None:
        """Compare all findings exactly: rule, file and line, problem, fix."""
        found = [
            (
                finding.rule.id,
                f"{finding.path}:{finding.line}" if finding.line else finding.path,
                finding.problem,
                finding.fix,
            )
            for finding in self.node.diagnose()
        ]
        self.assertEqual(found, list(golden))

    def assert_nothing_found(self) -> None:
        """Check that all is well."""
        self.assert_found()


@contextmanager
def another_user(prefix: str, closed: str) -> Iterator[None]:
    """Be a user who may not read what only its owner may.

    Args:
        prefix: Where the node is.
        closed: A path on it that is closed to others; to its owner too, where one cannot be
            another user.
    """
    if os.geteuid() != 0:
        path = prefix + closed
        mode = os.stat(path).st_mode
        os.chmod(path, 0)
        yield
        os.chmod(path, mode)
        return
    # Another user may not be able to read the modules: they are imported before.
    for module in ("minreg.cli.doctor", "minreg.commands.doctor"):
        import_module(module)
    # Trial makes a directory for each test that is for its owner alone.
    os.chmod(os.path.join(prefix, "../.."), 0o755)
    os.chmod(os.path.join(prefix, ".."), 0o755)
    os.seteuid(65534)
    try:
        if not os.access(prefix, os.X_OK, effective_ids=True):
            raise SkipTest(f"needs a directory that other users may enter, unlike {prefix}")
        yield
    finally:
        os.seteuid(0)
