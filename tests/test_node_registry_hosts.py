"""Tests for ``minreg.k3s.registries.hosts_toml`` with files written by hand."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.registries.hosts_toml import Host, HostsInvalid, parse_hosts, registry_itself

EVERYTHING = """\
server = "registry.example/base"
ca = "/ca.pem"

[host."http://mirror.example:80"]
capabilities = ["PULL", "resolve"]
ca = ["/a.pem", "/b.pem"]
client = [["/client.crt", "/client.key"], "/both.pem"]
skip_verify = true
dial_timeout = "1s"

[host."http://mirror.example:80".header]
x-a = "b"

[host."https://other.example/base/"]
override_path = true
client = "/both.pem"
[host."https://other.example/base/".rewrite]
"^a" = "b"
"""


class ParseHostsTests(SynchronousTestCase):
    """Tests for ``parse_hosts``."""

    def parse(self, text: str) -> list[Host]:
        """Read a file of a registry."""
        return list(parse_hosts(text, "quay.io", is_of_k3s=True))

    def test_everything(self) -> None:
        """All that a file may say of hosts is read, in its order, the server last."""
        mirror, other, server = self.parse(EVERYTHING)
        self.assertEqual(
            mirror,
            Host(
                "mirror.example:80",
                ("http",),
                capabilities=frozenset({"pull", "resolve"}),
                ca_files=["/a.pem", "/b.pem"],
                client_pairs=[["/client.crt", "/client.key"], ["/both.pem"]],
                skips_verify=True,
            ),
        )
        self.assertEqual((other.path, other.rewrites), ("/base", {"^a": "b"}))
        self.assertEqual(other.client_pairs, [["/both.pem"]])
        self.assertEqual((server.host, server.schemes), ("registry.example", ("https",)))
        self.assertEqual((server.path, server.ca_files), ("/base/v2", ["/ca.pem"]))
        self.assertEqual(
            [host.is_default for host in (mirror, other, server)], [False, False, True]
        )

    def test_paths(self) -> None:
        """/v2 is appended to a path, unless override_path is set."""
        for address, override, path in (
            ("https://a", "false", "/v2"),
            ("https://a/", "false", "/v2"),
            ("https://a/b/../v2/", "false", "/v2"),
            ("https://a/b", "false", "/b/v2"),
            ("https://a", "true", ""),
            ("https://a/b/", "true", "/b"),
        ):
            text = f'[host."{address}"]\noverride_path = {override}\n'
            self.assertEqual(self.parse(text)[0].path, path)

    def test_no_hosts(self) -> None:
        """A file without hosts is about the registry itself."""
        self.assertEqual(self.parse(""), [registry_itself("quay.io")])
        (host,) = self.parse('skip_verify = true\ncapabilities = ["pull"]\n[host]\n')
        self.assertEqual((host.host, host.skips_verify), ("quay.io", True))
        self.assertIn("resolve", host.capabilities)

    def test_invalid(self) -> None:
        """What containerd cannot read is refused as a whole."""
        for text in (
            "host",
            '[host."a"]\n[host."a"]\n',
            "host = 1",
            f"a = {'9' * 5000}",
            "[host]\na = 1",
            "server = 1",
            'server = "https://a b"',
            'capabilities = "pull"\n[host.a]\n',
            '[host.a]\ncapabilities = ["delete"]',
            "[host.a]\nca = 1",
            "[host.a]\nca = [1]",
            "[host.a]\nclient = 1",
            "[host.a]\nclient = [1]",
            '[host.a]\nskip_verify = "true"',
            "[host.a]\noverride_path = 1",
            "[host.a]\nrewrite = 1",
            "[host.a.rewrite]\na = 1",
        ):
            with self.assertRaises(HostsInvalid, msg=text):
                self.parse(text)

    @given(st.text('[host."a]=\n{},server1rewitpk_', max_size=40))
    def test_anything(self, text: str) -> None:
        """Any text is refused, or is a list of hosts."""
        try:
            self.assertTrue(self.parse(text))
        except HostsInvalid:
            return
