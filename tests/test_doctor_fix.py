"""Tests for ``minreg doctor --fix`` where a difference is not easily made."""

import os

from minreg.k3s.doctor.findings import Addition, Edit, Move
from minreg.k3s.doctor.node_files import MAX_FILE_BYTES, NodeFiles
from minreg.k3s.doctor.patches import Patch, make_patch
from minreg.k3s.yaml_reader import Position
from tests.doctor_support import MIRRORS, RulesTestCase
from tests.nodes import CONFIG, REGISTRIES, SERVICE
from tests.test_cli import run

_SYSTEM = "system-default-registry: bootstrap-registry.airgap\n"
_SWITCH = "disable-default-registry-endpoint"
_ADDITION = Addition(CONFIG, f"{_SWITCH}: true\n")


class FixTests(RulesTestCase):
    """Tests for what is shown, and what is left to people."""

    def fix(self) -> tuple[list[str], list[str]]:
        """Ask for the lines that change, and for what is to be done by hand."""
        result = run("doctor", "--root-prefix", self.node.prefix, "--fix")
        self.assertEqual(result.exit_code, 1, result.output)
        changed = [line for line in result.stdout.splitlines() if line[:1] in {"-", "+"}]
        return changed, result.stderr.splitlines()

    def make(self, *changes: Addition | Edit | Move) -> Patch:
        """Make the difference of changes."""
        return make_patch(NodeFiles(self.node.prefix), changes)

    def test_other_lines(self) -> None:
        """What patch would not find as it is shown is left to people: each finding says so."""
        hand = f"by hand: {REGISTRIES}: write http://127.0.0.1:9080 [endpoint-scheme]"
        https = MIRRORS.replace("http:", "https:")
        for text in (
            https.replace("\n", "\r\n"),
            f"{https}# a\N{NO-BREAK SPACE}b\n",
            f"\ufeff{https}",
            f"{https}# {'x' * 5000}\n",
            https.replace("https:", "htt\\x70s:"),
        ):
            self.set_registries(text)
            self.assertEqual(self.fix(), ([], [hand]), text)

    def test_switch(self) -> None:
        """A switch that is off is put on where it stands."""
        for line, key in (("{}: false", "{}: true"), ('"{}": no # a', '"{}": true # a')):
            self.node.write(CONFIG, f"{_SYSTEM}{line.format(_SWITCH)}\n")
            self.node.restart_k3s()
            old, new = line.format(_SWITCH), key.format(_SWITCH)
            head = [f"--- a{CONFIG}", f"+++ b{CONFIG}"]
            self.assertEqual(self.fix(), ([*head, f"-{old}", f"+{new}"], []))

    def test_switch_elsewhere(self) -> None:
        """On a command line, or without a value, that is for people."""
        hand = f"set {_SWITCH} to true: it is"
        self.node.write(CONFIG, f"{_SYSTEM}{_SWITCH}:\n")
        self.node.restart_k3s()
        changed = f"by hand: {CONFIG}: {hand} empty here [default-endpoint]"
        self.assertEqual(self.fix(), ([], [changed]))
        self.node.replace(SERVICE, "=traefik'", f"=traefik' --{_SWITCH}=false")
        self.node.restart_k3s()
        changed = f"by hand: {SERVICE}: {hand} false here [default-endpoint]"
        self.assertEqual(self.fix(), ([], [changed]))

    def test_not_understood(self) -> None:
        """Nothing is added where it would not be read, or would be read otherwise."""
        for text in (
            f"---\n{_SYSTEM}...\n",
            f"{_SYSTEM}---\na: b\n",
            f"{{{_SYSTEM.strip()}}}\n",
            f"  {_SYSTEM}",
            f"{_SYSTEM}{_SWITCH}: false\n",
        ):
            self.node.write(CONFIG, text)
            self.assertEqual(self.make(_ADDITION), Patch([], frozenset({_ADDITION})), text)
        self.node.write(CONFIG, f"---\n{_SYSTEM}")
        self.assertEqual(self.make(_ADDITION).left, frozenset())

    def test_edit_in_flow(self) -> None:
        """A change is left out if it would be read in another way than intended."""
        self.set_registries("mirrors: {quay.io: {endpoint: [localhost:5000]}}\n")
        edit = Edit(REGISTRIES, Position(1, 32), "localhost:5000", "http://[::1]:9080")
        self.assertEqual(self.make(edit), Patch([], frozenset({edit})))

    def test_two_of_a_kind(self) -> None:
        """Of several files that might be the right one, people know which it is."""
        self.node.remove(REGISTRIES)
        names = ("registries.yml", "registry.yaml")
        for name in names:
            self.node.write(f"/etc/rancher/k3s/{name}", MIRRORS)
        fix = f"rename the right one of these files to {REGISTRIES}, and remove the others"
        changed, by_hand = self.fix()
        self.assertEqual(changed, [])
        self.assertEqual(
            [line for line in by_hand if "[file-name]" in line],
            [f"by hand: /etc/rancher/k3s/{name}: {fix} [file-name]" for name in names],
        )

    def test_moves(self) -> None:
        """A file that is empty, or was not read to its end, moves in no difference."""
        move = Move("/etc/a", "/etc/b")
        for text in ("", "#" * MAX_FILE_BYTES + "\n"):
            self.node.write("/etc/a", text)
            self.assertEqual(self.make(move), Patch([], frozenset({move})))

    def test_unread(self) -> None:
        """A file that exists and cannot be read is not created."""
        self.node.remove(CONFIG)
        os.mkfifo(self.node.place(CONFIG))
        self.assertEqual(self.make(_ADDITION), Patch([], frozenset({_ADDITION})))
