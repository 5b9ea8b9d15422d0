"""Property tests: no content of the files that the doctor reads makes it fail."""

from hypothesis import given, settings
from hypothesis import strategies as st
from yaml import safe_dump

from minreg.commands.terminal import MAX_WIDTH
from minreg.k3s.doctor.findings import Finding
from minreg.k3s.doctor.rules.catalog import RULES
from tests.doctor_support import RulesTestCase
from tests.nodes import CONFIG, CONTAINERD, REGISTRIES
from tests.test_cli import run

_HOSTS = f"{CONTAINERD}/certs.d/quay.io/hosts.toml"

_names = st.sampled_from(
    [
        "docker.io",
        "GHCR.io",
        "*",
        "",
        "a:99999",
        "[::1]:9080",
        "x" * 300,
        "a b",
        "http://q",
        "..",
        "é",
    ]
)
_urls = st.sampled_from(
    [
        *("http://127.0.0.1:9080", "http://127.0.0.1:9080/docker.io", "https://hub.docker.com/"),
        *(
            "quay.io",
            "//",
            "http://[",
            "https://a.example/v2/%zz",
            "http://u:p@h/",
            "ftp://x",
            ":",
        ),
        *("https://k8s.gcr.io", "http://127.0.0.1:6443/v2", "https://a/" + "b" * 200, "\x00", " "),
    ]
)
_keys = st.sampled_from(
    [
        *("mirrors", "configs", "endpoint", "rewrite", "auth", "tls", "username", "password"),
        *("ca_file", "cert_file", "key_file", "insecure_skip_verify", "endpoints", "<<", "x"),
    ]
)
_scalars = st.none() | st.booleans() | st.integers() | _urls | _names | st.text(max_size=20)
_paths = st.sampled_from(["/", "/etc", "/dev/null", "a", "../..", "/etc/rancher/k3s/config.yaml"])
_tls = st.dictionaries(_keys, _scalars | _paths, max_size=4)
_mirror = st.fixed_dictionaries(
    {},
    optional={
        "endpoint": st.lists(_urls, max_size=4) | _scalars,
        "rewrite": st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=2)
        | _scalars,
    },
)
_config = st.fixed_dictionaries({}, optional={"auth": _tls | _scalars, "tls": _tls | _scalars})
_anything = st.recursive(
    _scalars,
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(_keys | _names, children, max_size=4)
    ),
    max_leaves=12,
)
_documents = (
    st.fixed_dictionaries(
        {},
        optional={
            "mirrors": st.dictionaries(_names, _mirror | _anything, max_size=4),
            "configs": st.dictionaries(_names, _config | _anything, max_size=4),
        },
    )
    | _anything
)
_yaml = _documents.map(lambda value: safe_dump(value).encode()) | st.binary(max_size=99)
_toml_values = st.sampled_from(
    [
        *(
            '"/etc"',
            '["a", "b"]',
            '[["a", "b"]]',
            "[[1]]",
            "1",
            "true",
            '""',
            "[]",
            "{}",
            '"\\u0000"',
        ),
        *('["pull"]', "[[[]]]", '["/dev/null", 1]', '{x = "(", "y" = 1}', '"https://[", 1'),
    ]
)
_toml_lines = st.one_of(
    st.tuples(
        st.sampled_from(
            [
                *("server", "capabilities", "ca", "client", "skip_verify", "override_path"),
                *("header", "rewrite", "dial_timeout", "host"),
            ]
        ),
        _toml_values,
    ).map(" = ".join),
    _urls.map(lambda url: f"[host.{url!r}]"),
    st.text(max_size=20),
)
_toml = st.lists(_toml_lines, max_size=6).map(lambda lines: "\n".join(lines).encode()) | st.binary(
    max_size=99
)


class HostileFilesTests(RulesTestCase):
    """Tests for ``minreg doctor`` with files of any content."""

    def check(self) -> None:
        """Run the doctor, as a library and as a command, and check what it prints."""
        for finding in self.node.diagnose():
            self.assertIsInstance(finding, Finding)
            self.assertIs(RULES[finding.rule.id], finding.rule)
            self.assertTrue(finding.problem and finding.fix, finding)
        for arguments in ((), ("--json",), ("--fix",)):
            result = run("doctor", "--root-prefix", self.node.prefix, *arguments)
            self.assertIn(result.exit_code, (0, 1, 2), result.output)
            self.assertNotIn("Traceback", result.output)
            for line in result.output.splitlines() if not arguments else ():
                self.assert_width(line)

    def assert_width(self, line: str) -> None:
        """Check that a line has 80 columns, or could not be broken, or is a command."""
        indent = line[: len(line) - len(line.lstrip())]
        start, _, _ = line.rpartition(" ")
        is_command = line.startswith(f"{indent}fix: ")
        is_word = len(start.split()) <= 1
        self.assertTrue(len(line) <= MAX_WIDTH or is_command or is_word, line)

    @settings(max_examples=60)
    @given(_yaml)
    def test_registries(self, content: bytes) -> None:
        """Any registries.yaml has findings, or none."""
        self.node.write(REGISTRIES, content)
        self.check()

    @settings(max_examples=60)
    @given(_toml)
    def test_hosts(self, content: bytes) -> None:
        """Any hosts.toml has findings, or none."""
        self.node.write(_HOSTS, content)
        self.check()

    @settings(max_examples=40)
    @given(_yaml, _yaml, _toml)
    def test_all(self, registries: bytes, config: bytes, hosts: bytes) -> None:
        """So have all of them together, with the settings of K3s."""
        self.node.write(REGISTRIES, registries)
        self.node.write(CONFIG, config)
        self.node.write(_HOSTS, hosts)
        self.check()

    def test_titles(self) -> None:
        """The first line of each finding fits."""
        for rule in RULES.values():
            line = f"{rule.severity.value}: {rule.title} [{rule.id}]"
            self.assertLessEqual(len(line), MAX_WIDTH, line)
