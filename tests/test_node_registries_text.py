"""Tests for ``minreg.k3s.registries.yaml_writer``."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.registries.registries_yaml import read_registries
from minreg.k3s.registries.yaml_writer import make_mirrors, quoted_key, render


class RenderTests(SynchronousTestCase):
    """Tests for ``render``."""

    def test_file(self) -> None:
        """A file is as a person would write it."""
        text = render(
            {
                **make_mirrors(["docker.io", "*"], ["http://127.0.0.1:9080", "https://[::1]"]),
                "configs": {
                    "[::1]": {
                        "auth": {"username": "u", "password": 'a"b\\'},
                        "tls": {"insecure_skip_verify": True},
                    }
                },
            }
        )
        self.assertEqual(
            [line for line in text.splitlines() if not line.startswith("#")],
            [
                "mirrors:",
                "  docker.io:",
                "    endpoint:",
                '      - "http://127.0.0.1:9080"',
                '      - "https://[::1]"',
                '  "*":',
                "    endpoint:",
                '      - "http://127.0.0.1:9080"',
                '      - "https://[::1]"',
                "configs:",
                '  "[::1]":',
                "    auth:",
                '      username: "u"',
                '      password: "a\\"b\\\\"',
                "    tls:",
                "      insecure_skip_verify: true",
            ],
        )
        self.assertEqual(text.splitlines()[0][:2], "# ")

    def test_keys(self) -> None:
        """What YAML could take for something else is quoted."""
        for key in ("docker.io", "bootstrap-registry.airgap", "localhost", "k8s.gcr.io"):
            self.assertEqual(quoted_key(key), key)
        for key in ("*", "a:1", "10.0.0.1", "1e3", "true", "y", "A", "a b", "", "-", "~", "[::1]"):
            self.assertEqual(quoted_key(key), f'"{key}"')

    @given(
        st.dictionaries(
            st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=9),
            st.lists(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=9)),
            max_size=3,
        )
    )
    def test_anything(self, mirrors: dict[str, list[str]]) -> None:
        """A rendered document is read back unchanged."""
        document = {name: {"endpoint": endpoints} for name, endpoints in mirrors.items()}
        registries, problems = read_registries(render({"mirrors": document}).encode())
        self.assertEqual(problems, [])
        read = {
            name: [word.text for word in mirror.endpoints]
            for name, mirror in registries.mirrors.items()
        }
        self.assertEqual(read, mirrors)
