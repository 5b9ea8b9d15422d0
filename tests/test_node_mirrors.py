"""Tests for ``minreg.node.registries.mirrors``."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.node.registries.mirrors import names_mirror
from minreg.node.units import make_registries


class NamesMirrorTests(SynchronousTestCase):
    """Tests for ``names_mirror``."""

    def test_ours(self) -> None:
        """The file that is written names the mirror, on the first level that K3s looks at."""
        text = make_registries("k3s").text
        self.assertTrue(names_mirror(text))
        self.assertIn("\nmirrors:\n  bootstrap-registry.airgap:\n    endpoint:\n", text)

    def test_named(self) -> None:
        """K3s' own registry, or all of them, sent to us: each way to write that counts."""
        for text in (
            'mirrors:\n  "*":\n    endpoint:\n    - http://localhost:9080\n',
            "mirrors:\n  '*': {endpoint: ['http://127.0.0.1:9080/v2']}\n",
            'mirrors: {"*": {endpoint: ["http://a:1", "http://localhost:9080"]}}',
            (
                "mirrors: # ours\n  docker.io:\n    endpoint: [http://a:9080]\n\n"
                "  bootstrap-registry.airgap:\n    # here\n    endpoint:\n      - http://127.0.0.1:9080\n"
            ),
            (
                "configs: {}\nmirrors:\n  bootstrap-registry.airgap:\n"
                "    rewrite: {a: b}\n    endpoint: [http://127.0.0.1:9080]\n"
            ),
        ):
            self.assertTrue(names_mirror(text), text)

    def test_others(self) -> None:
        """Nothing else counts: another registry, another address, another part, a comment."""
        entry = "{endpoint: [http://127.0.0.1:9080]}"
        for text in (
            "",
            "# mirrors: {'*': {endpoint: [http://127.0.0.1:9080]}}",
            f"mirrors:\n  docker.io: {entry}\n",
            f"mirrors: {{docker.io: {entry}, '*': {{endpoint: [http://a:9080]}}}}",
            (
                "mirrors:\n  '*':\n    endpoint: [http://a:9080]\n"
                "  docker.io:\n    endpoint: [http://127.0.0.1:9080]\n"
            ),
            'mirrors:\n  "*":\nconfigs: {"x//127.0.0.1:9080": {}}\n',
            f"configs:\n  '*': {entry}\n",
            f"other:\n  mirrors:\n    '*': {entry}\n",
            "mirrors:\n  '*':\n    # endpoint: [http://127.0.0.1:9080]\n    endpoint: []\n",
            *(
                f"mirrors:\n  '*': {{endpoint: [{url}]}}\n"
                for url in (
                    *("http://127.0.0.1:90801", "http://a:9080", "https://127.0.0.1:9080"),
                    *("http://127.0.0.1:9080.a", "http://x/http://127.0.0.1:9080"),
                )
            ),
        ):
            self.assertFalse(names_mirror(text), text)
