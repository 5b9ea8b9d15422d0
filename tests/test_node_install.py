"""Tests for ``minreg.node.install``."""

import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.node.install import Installation, Step
from minreg.node.placement import Link, Placement

_UNIT = "/etc/systemd/system/minreg.service"
_LINK = "/etc/systemd/system/multi-user.target.wants/minreg.service"
_REGISTRIES = "/etc/rancher/k3s/registries.yaml"
_MIRROR = "mirrors:\n  a:\n    endpoint:\n      - http://127.0.0.1:9080\n"


class InstallationTestCase(SynchronousTestCase):
    """A node's root, and ways to look at it."""

    def setUp(self) -> None:
        """Make the root."""
        self.node = os.path.abspath(self.mktemp())

    def make(self, text: str = "[Unit]\n", *, for_real: bool = True) -> Installation:
        """Make an installation of one unit, one link and one registries.yaml."""
        return Installation(
            [Placement(_UNIT, text)],
            [Link(_LINK, _UNIT)],
            [Placement(_REGISTRIES, _MIRROR)],
            self.node,
            for_real,
        )

    def install(self, text: str = "[Unit]\n") -> list[Step]:
        """Install, and return the steps."""
        return list(self.make(text).install())

    def actions(self, steps: list[Step]) -> list[str]:
        """Return what was done about the unit, the link and registries.yaml."""
        self.assertEqual([step.path for step in steps], [_UNIT, _LINK, _REGISTRIES])
        return [step.action for step in steps]

    def read(self, path: str) -> str:
        """Read a file of the node."""
        with open(self.node + path, encoding="utf-8") as file:
            return file.read()

    def write(self, path: str, text: str) -> None:
        """Write a file of the node, by hand."""
        os.makedirs(os.path.dirname(self.node + path), exist_ok=True)
        with open(self.node + path, "w", encoding="utf-8") as file:
            file.write(text)

    def files(self) -> set[str]:
        """List the files and links of the node, wherever the links lead on this machine."""
        paths = [
            os.path.join(parent, name)
            for parent, directories, names in os.walk(self.node)
            for name in (*directories, *names)
        ]
        return {
            path.removeprefix(self.node)
            for path in paths
            if os.path.islink(path) or not os.path.isdir(path)
        }


class InstallTests(InstallationTestCase):
    """Tests for ``Installation.install``."""

    def test_bare_node(self) -> None:
        """On a bare node everything is written, readable for all, behind a line that says so."""
        self.assertEqual(self.actions(self.install()), ["written", "linked", "written"])
        first, _, text = self.read(_UNIT).partition("\n")
        self.assertTrue(first.startswith("# Installed by minreg node install"))
        self.assertEqual(text, "[Unit]\n")
        self.assertEqual(os.readlink(self.node + _LINK), _UNIT)
        self.assertEqual(os.stat(self.node + _UNIT).st_mode & 0o777, 0o644)
        self.assertEqual(self.files(), {_UNIT, _LINK, _REGISTRIES})

    def test_closed_mask(self) -> None:
        """It is so whatever files of this user are otherwise (umask(2))."""
        self.addCleanup(os.umask, os.umask(0o077))
        self.install()
        self.assertEqual(os.stat(self.node + _UNIT).st_mode & 0o777, 0o644)

    def test_again(self) -> None:
        """A second run finds all in place, and touches nothing."""
        self.install()
        before = os.stat(self.node + _UNIT).st_ino
        self.assertEqual(self.actions(self.install()), ["is there already"] * 3)
        self.assertEqual(os.stat(self.node + _UNIT).st_ino, before)

    def test_upgrade(self) -> None:
        """What an older minreg wrote, and nobody changed, is brought up to date."""
        self.install()
        steps = self.install("[Unit]\nAfter=a\n")
        self.assertEqual(steps[0].action, "brought up to date")
        self.assertIn("After=a", self.read(_UNIT))

    def test_changed_by_hand(self) -> None:
        """What somebody changed stays, and what minreg would have changed is shown."""
        self.install()
        changed = self.read(_UNIT) + "After=mine\n"
        self.write(_UNIT, changed)
        step = self.install()[0]
        self.assertEqual((step.action, step.is_left), ("was changed by hand, and stays", True))
        self.assertIn("\n-After=mine\n", step.detail)
        self.assertNotIn("Installed by", step.detail)
        self.assertEqual(self.read(_UNIT), changed)

    def test_copied_by_hand(self) -> None:
        """A file that says the same without our line is as good."""
        self.write(_UNIT, "[Unit]\n")
        self.assertEqual(self.install()[0].action, "is there already")
        self.assertEqual(self.read(_UNIT), "[Unit]\n")

    def test_dry_run(self) -> None:
        """A dry run says the same, and does nothing."""
        steps = list(self.make(for_real=False).install())
        self.assertEqual(
            self.actions(steps), ["would be written", "would be linked", "would be written"]
        )
        self.assertFalse(os.path.exists(self.node))

    def test_link_in_the_way(self) -> None:
        """A link that leads elsewhere, as a masked unit's does, stays."""
        os.makedirs(os.path.dirname(self.node + _LINK))
        os.symlink("/dev/null", self.node + _LINK)
        step = self.install()[1]
        self.assertEqual((step.action, step.is_left), ("is something else, and stays", True))

    def test_links_in_an_image(self) -> None:
        """What an image's links lead to is in the image, and all of it is removed again."""
        os.makedirs(f"{self.node}/usr/etc")
        os.symlink("/usr/etc", f"{self.node}/etc")
        self.install()
        installed = {f"/usr{path}" for path in (_UNIT, _LINK, _REGISTRIES)}
        self.assertEqual(self.files(), {"/etc", *installed})
        self.assertEqual(self.actions(self.install()), ["is there already"] * 3)
        self.assertEqual(len(list(self.make().uninstall())), 3)
        self.assertEqual(self.files(), {"/etc"})

    def test_left_by_a_crash(self) -> None:
        """A file that a run before could not finish is in nobody's way."""
        self.write(f"{_UNIT}.minreg-new", "[Un")
        self.install()
        self.assertEqual(self.files(), {_UNIT, _LINK, _REGISTRIES})


class RegistriesTests(InstallationTestCase):
    """Tests for a registries.yaml that is there already."""

    def test_without_mirror(self) -> None:
        """It is never rewritten, for that would lose comments: what to add is shown."""
        self.write(_REGISTRIES, "# mine\nmirrors: {}\n")
        step = self.install()[2]
        self.assertEqual(
            step, Step(_REGISTRIES, "does not name this registry: add", _MIRROR, is_left=True)
        )
        self.assertEqual(self.read(_REGISTRIES), "# mine\nmirrors: {}\n")

    def test_with_mirror(self) -> None:
        """If it names the registry in its own way, all is well."""
        self.write(_REGISTRIES, "mirrors: {'*': {endpoint: [http://127.0.0.1:9080]}}\n")
        self.assertEqual(self.install()[2], Step(_REGISTRIES, "names this registry already"))


class UninstallTests(InstallationTestCase):
    """Tests for ``Installation.uninstall``."""

    def test_untouched(self) -> None:
        """What was installed, by whatever version, is gone, and a second run has no work."""
        self.install()
        steps = list(self.make("[Unit]\nAfter=a\n").uninstall())
        self.assertEqual({step.action for step in steps}, {"removed"})
        self.assertEqual(self.files(), set())
        self.assertEqual(list(self.make().uninstall()), [])

    def test_changed_by_hand(self) -> None:
        """What somebody changed stays, and that is said."""
        self.install()
        self.write(_REGISTRIES, "mirrors: {}\n")
        steps = list(self.make().uninstall())
        self.assertEqual(
            steps[-1],
            Step(_REGISTRIES, "is not as minreg left it, and stays", is_left=True),
        )
        self.assertEqual(self.files(), {_REGISTRIES})

    def test_dry_run(self) -> None:
        """A dry run removes nothing."""
        self.install()
        steps = list(self.make(for_real=False).uninstall())
        self.assertEqual({step.action for step in steps}, {"would be removed"})
        self.assertEqual(len(self.files()), 3)
