"""Tests for the doctor's rules about the form of files."""

from minreg.k3s.doctor.node_files import MAX_FILE_BYTES
from tests.doctor_support import MIRRORS, RulesTestCase
from tests.nodes import CONFIG, REGISTRIES


class SyntaxRulesTests(RulesTestCase):
    """Tests for ``check_place`` and ``check_syntax``, a golden one for each rule."""

    def test_rule_file_name(self) -> None:
        """A file that is called otherwise is not read."""
        self.node.remove(REGISTRIES)
        self.node.write("/etc/rancher/k3s/registries.yml", MIRRORS)
        self.assert_found(
            (
                "file-name",
                "/etc/rancher/k3s/registries.yml",
                "K3s reads only /etc/rancher/k3s/registries.yaml: this file has no effect",
                "rename it to /etc/rancher/k3s/registries.yaml",
            )
        )

    def test_second_file(self) -> None:
        """A second file beside the right one is reported."""
        self.node.write("/etc/rancher/k3s/registries.yml", MIRRORS)
        self.assert_found(
            (
                "file-name",
                "/etc/rancher/k3s/registries.yml",
                "K3s reads only /etc/rancher/k3s/registries.yaml: this file has no effect",
                ("copy what is needed to /etc/rancher/k3s/registries.yaml, and remove this file"),
            )
        )

    def test_rule_syntax(self) -> None:
        """What is no YAML keeps K3s from starting."""
        self.set_registries("mirrors:\n  docker.io\n    endpoint:\n      - 'http://a'\n")
        self.assert_found(
            (
                "syntax",
                f"{REGISTRIES}:3",
                (
                    "this is not YAML: mapping values are not allowed in this context; "
                    "K3s does not start with it"
                ),
                "correct this line, or the one before it",
            )
        )

    def test_rule_tab(self) -> None:
        """A tab in the indentation keeps K3s from starting."""
        self.set_registries("mirrors:\n\tdocker.io:\n")
        self.assert_found(
            (
                "tab",
                f"{REGISTRIES}:2",
                (
                    "this line is indented with a tab, which YAML does not allow; "
                    "K3s does not start with it"
                ),
                "use spaces",
            )
        )

    def test_rule_unquoted_star(self) -> None:
        """An asterisk without quotes keeps K3s from starting."""
        self.set_registries(MIRRORS.replace("bootstrap-registry.airgap", "*"))
        self.assert_found(
            (
                "unquoted-star",
                f"{REGISTRIES}:2",
                "* must be in quotes; K3s does not start with it",
                'write "*":',
            )
        )

    def test_rule_not_utf_8(self) -> None:
        """Another encoding keeps K3s from starting."""
        self.set_registries(MIRRORS.encode() + b"# f\xfcr K3s\n")
        self.assert_found(
            (
                "not-utf-8",
                f"{REGISTRIES}:5",
                "the file is not UTF-8; K3s does not start with it",
                "save it as UTF-8",
            )
        )

    def test_rule_control_character(self) -> None:
        """Control characters keep K3s from starting."""
        self.set_registries(f"{MIRRORS}# \0\n")
        self.assert_found(
            (
                "control-character",
                f"{REGISTRIES}:5",
                "the character 0x00 is not allowed in YAML; K3s does not start with it",
                "delete it",
            )
        )

    def test_half_a_character(self) -> None:
        """An escaped surrogate is not a character, and keeps K3s from starting."""
        self.set_registries('mirrors:\n  docker.io:\n    endpoint: ["http://\\ud800"]\n')
        (found,) = self.node.diagnose()
        self.assertEqual(
            (found.rule.id, found.line, found.problem),
            (
                "syntax",
                3,
                (
                    "this is not YAML: while parsing a quoted scalar, found invalid Unicode "
                    "character escape code; K3s does not start with it"
                ),
            ),
        )

    def test_rule_too_large(self) -> None:
        """A file that is too large is not checked."""
        self.set_registries(MIRRORS + "#" * MAX_FILE_BYTES)
        self.assert_found(
            (
                "too-large",
                f"{REGISTRIES}:1",
                ("the file has more than 1.0 MB or 50000 values, and was not checked"),
                "remove what is not needed",
            )
        )

    def test_rule_wrong_type(self) -> None:
        """An endpoint that is no list keeps K3s from starting."""
        self.set_registries("mirrors:\n  docker.io:\n    endpoint: 'http://127.0.0.1:9080'\n")
        self.assert_found(
            (
                "wrong-type",
                f"{REGISTRIES}:3",
                (
                    "mirrors.docker.io.endpoint must be a list, each item behind '- '; this is a "
                    "single value, and K3s does not start with it"
                ),
                "write a value of that type",
            )
        )

    def test_rule_second_document(self) -> None:
        """What stands behind a second --- is not read."""
        self.set_registries(f"{MIRRORS}---\nconfigs: {{}}\n")
        self.assert_found(
            (
                "second-document",
                f"{REGISTRIES}:6",
                "K3s reads only what is above the line ---",
                "put everything into one document",
            )
        )

    def test_rule_too_deep(self) -> None:
        """What leads back to itself keeps K3s from starting."""
        self.set_registries("mirrors: &mirrors\n  <<: *mirrors\n")
        self.assert_found(
            (
                "too-deep",
                f"{REGISTRIES}:1",
                "<< merges a mapping into itself; K3s does not start with it",
                "write it out",
            )
        )

    def test_rule_duplicate_key(self) -> None:
        """Of a key that stands there twice only one counts."""
        self.set_registries(MIRRORS + MIRRORS.partition("\n")[2])
        self.assert_found(
            (
                "duplicate-key",
                f"{REGISTRIES}:5",
                "bootstrap-registry.airgap is in mirrors twice, here and in line 2",
                "K3s uses only the second, without a message; keep one",
            )
        )

    def test_rule_unknown_key(self) -> None:
        """K3s ignores unknown keys without a message."""
        self.set_registries(MIRRORS.replace("endpoint", "endpoints"))
        self.assert_found(
            (
                "unknown-key",
                f"{REGISTRIES}:3",
                "K3s ignores endpoints",
                "write endpoint; only endpoint and rewrite are allowed here",
            )
        )

    def test_nested_configs(self) -> None:
        """For settings below mirrors, the fix says where they belong."""
        self.set_registries(f"{MIRRORS}  configs:\n    a.example:\n      auth: {{username: a}}\n")
        self.assert_found(
            (
                "unknown-key",
                f"{REGISTRIES}:6",
                "K3s ignores a.example",
                (
                    "indent configs, and all below it, like mirrors: it is beside mirrors, "
                    "not below"
                ),
            )
        )

    def test_configuration(self) -> None:
        """K3s' configuration has the same rules, in whichever file it stands."""
        self.node.write(f"{CONFIG}.d/10-node.yaml", "node-label:\n\t- a=b\n")
        self.assert_found(
            (
                "tab",
                f"{CONFIG}.d/10-node.yaml:2",
                (
                    "this line is indented with a tab, which YAML does not allow; "
                    "K3s does not start with it"
                ),
                "use spaces",
            )
        )

    def test_anchor(self) -> None:
        """A key at the top that only holds an anchor loses nothing."""
        anchor = 'x-minreg: &minreg ["http://127.0.0.1:9080"]\n'
        mirrors = "mirrors:\n  bootstrap-registry.airgap:\n    endpoint: "
        self.set_registries(f"{anchor}{mirrors}*minreg\n")
        self.assert_nothing_found()
        self.set_registries(f"x:\n  - a\n  - &url http://127.0.0.1:9080\n{mirrors}[*url]\n")
        self.assert_nothing_found()
        self.set_registries(f"x-tls: &tls {{}}\n{MIRRORS}configs:\n  a.example: {{<<: *tls}}\n")
        self.assert_nothing_found()

    def test_anchor_not_used(self) -> None:
        """An anchor that nothing uses, or a misspelled section, is reported as unknown."""
        value = "{endpoint: [http://127.0.0.1:9080]}"
        for registries, line in (
            (f"x-minreg: &minreg {value}\n{MIRRORS}", 1),
            (f"{MIRRORS}Mirrors: {{a.example: &a {value}, b.example: *a}}\n", 5),
            (f"{MIRRORS}  a.example: &a {value}\nx: {{b: *a}}\n", 6),
        ):
            self.set_registries(registries)
            (found,) = self.node.diagnose()
            self.assertEqual((found.rule.id, found.line), ("unknown-key", line), registries)
