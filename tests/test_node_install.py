"""Tests for ``minreg.node.install``."""

import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.doctor.node_files import NodeFiles
from minreg.k3s.doctor.services import K3S
from minreg.k3s.registries.registries_yaml import read_registries
from minreg.node.install import Installation, Step
from minreg.node.k3s_files import find_k3s_files
from minreg.node.managed_files import ManagedFile, UnitLink

_UNIT = "/etc/systemd/system/minreg.service"
_LINK = "/etc/systemd/system/multi-user.target.wants/minreg.service"
_REGISTRIES = "/etc/rancher/k3s/registries.yaml"
_SETTINGS = "/etc/rancher/k3s/config.yaml.d/10-minreg.yaml"
_CONFIG = "/etc/rancher/k3s/config.yaml"
_MIRROR = (
    'mirrors:\n  bootstrap-registry.airgap:\n    endpoint:\n      - "http://127.0.0.1:9080"\n'
)
_ALL = (_UNIT, _LINK, _REGISTRIES, _SETTINGS)


class InstallationTestCase(SynchronousTestCase):
    """A node's root, with methods that read and change it."""

    def setUp(self) -> None:
        """Create the root."""
        self.node = os.path.abspath(self.mktemp())

    def make(self, text: str = "[Unit]\n", *, for_real: bool = True) -> Installation:
        """Return an installation of a unit, a link, registries.yaml and K3s' settings."""
        return Installation(
            [ManagedFile(_UNIT, text)],
            [UnitLink(_LINK, _UNIT, ("/old/minreg.service",))],
            [find_k3s_files(NodeFiles(self.node), K3S)],
            self.node,
            for_real,
        )

    def install(self, text: str = "[Unit]\n") -> list[Step]:
        """Install, and return the steps."""
        return list(self.make(text).install())

    def actions(self, steps: list[Step]) -> list[str]:
        """Return the actions for the unit, the link and the files of K3s."""
        self.assertEqual([step.path for step in steps], list(_ALL))
        return [step.action for step in steps]

    def read(self, path: str) -> str:
        """Read a file of the node."""
        with open(self.node + path, encoding="utf-8") as file:
            return file.read()

    def write(self, path: str, text: str) -> None:
        """Write a file of the node, as an operator does."""
        os.makedirs(os.path.dirname(self.node + path), exist_ok=True)
        with open(self.node + path, "w", encoding="utf-8") as file:
            file.write(text)

    def files(self) -> set[str]:
        """Return the files and links of the node, without following links."""
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
        """On a bare node, all files are written, readable for all, below a line with a digest."""
        self.assertEqual(self.actions(self.install()), ["written", "linked", "written", "written"])
        first, _, text = self.read(_UNIT).partition("\n")
        self.assertTrue(first.startswith("# Installed by minreg node install"))
        self.assertEqual(text, "[Unit]\n")
        self.assertEqual(os.readlink(self.node + _LINK), _UNIT)
        self.assertEqual(os.stat(self.node + _UNIT).st_mode & 0o777, 0o644)
        self.assertEqual(self.files(), set(_ALL))

    def test_closed_mask(self) -> None:
        """The modes do not depend on the umask (umask(2))."""
        self.addCleanup(os.umask, os.umask(0o077))
        self.install()
        self.assertEqual(os.stat(self.node + _UNIT).st_mode & 0o777, 0o644)

    def test_again(self) -> None:
        """A second run changes nothing."""
        self.install()
        before = os.stat(self.node + _UNIT).st_ino
        self.assertEqual(self.actions(self.install()), ["already up to date"] * 4)
        self.assertEqual(os.stat(self.node + _UNIT).st_ino, before)

    def test_upgrade(self) -> None:
        """A file of an older minreg is updated if it is unchanged."""
        self.install()
        steps = self.install("[Unit]\nAfter=a\n")
        self.assertEqual(steps[0].action, "updated")
        self.assertIn("After=a", self.read(_UNIT))

    def test_changed_by_hand(self) -> None:
        """A changed file is kept, and the difference is shown."""
        self.install()
        changed = self.read(_UNIT) + "After=mine\n"
        self.write(_UNIT, changed)
        step = self.install()[0]
        self.assertEqual((step.action, step.is_left), ("changed by hand, not replaced", True))
        self.assertIn("\n-After=mine\n", step.detail)
        self.assertNotIn("Installed by", step.detail)
        self.assertEqual(self.read(_UNIT), changed)

    def test_copied_by_hand(self) -> None:
        """A file with the same text and without the digest is up to date."""
        self.write(_UNIT, "[Unit]\n")
        self.assertEqual(self.install()[0].action, "already up to date")
        self.assertEqual(self.read(_UNIT), "[Unit]\n")

    def test_dry_run(self) -> None:
        """A dry run reports the same, and changes nothing."""
        steps = list(self.make(for_real=False).install())
        self.assertEqual(
            self.actions(steps),
            ["would be written", "would be linked", "would be written", "would be written"],
        )
        self.assertFalse(os.path.exists(self.node))

    def test_link_in_the_way(self) -> None:
        """A link with another target, such as that of a masked unit, is kept."""
        os.makedirs(os.path.dirname(self.node + _LINK))
        os.symlink("/dev/null", self.node + _LINK)
        step = self.install()[1]
        self.assertEqual((step.action, step.is_left), ("not made by minreg, not replaced", True))

    def test_link_of_another_version(self) -> None:
        """A link of an earlier run is changed to the new program."""
        os.makedirs(os.path.dirname(self.node + _LINK))
        os.symlink("/old/minreg.service", self.node + _LINK)
        dry = list(self.make(for_real=False).install())[1]
        self.assertEqual(dry.action, "would be updated")
        self.assertEqual(os.readlink(self.node + _LINK), "/old/minreg.service")
        self.assertEqual(self.install()[1].action, "updated")
        self.assertEqual(os.readlink(self.node + _LINK), _UNIT)

    def test_links_in_an_image(self) -> None:
        """Links in an image lead to files in the image; all of it is removed again."""
        os.makedirs(f"{self.node}/usr/etc")
        os.symlink("/usr/etc", f"{self.node}/etc")
        self.install()
        self.assertEqual(self.files(), {"/etc", *(f"/usr{path}" for path in _ALL)})
        self.assertEqual(self.actions(self.install()), ["already up to date"] * 4)
        self.assertEqual(len(list(self.make().uninstall())), 4)
        self.assertEqual(self.files(), {"/etc"})

    def test_left_by_a_crash(self) -> None:
        """A temporary file of an interrupted run does not matter."""
        self.write(f"{_UNIT}.minreg-new", "[Un")
        self.install()
        self.assertEqual(self.files(), set(_ALL))


class RegistriesTests(InstallationTestCase):
    """Tests for an existing registries.yaml."""

    def place(self, text: str) -> Step:
        """Install beside a registries.yaml, and check that a second run changes nothing."""
        self.write(_REGISTRIES, text)
        dry = list(self.make(for_real=False).install())[2]
        self.assertEqual(self.read(_REGISTRIES), text)
        step = self.install()[2]
        self.assertEqual((step.path, step.is_left), (dry.path, dry.is_left))
        before = self.stamp()
        self.assertFalse(self.install()[2].is_change)
        self.assertEqual(self.stamp(), before)
        return step

    def stamp(self) -> tuple[str, int, int]:
        """Return the content, the time and the inode of registries.yaml."""
        status = os.stat(self.node + _REGISTRIES)
        return self.read(_REGISTRIES), status.st_mtime_ns, status.st_ino

    def test_without_mirror(self) -> None:
        """The mirror is added, and the existing entries are kept."""
        for text in (
            "# mine\nmirrors:\n  docker.io:\n    endpoint: [https://a.example]  # here\n",
            "# mine\nconfigs:\n  a.example:\n    auth: {username: a, password: b}\n",
        ):
            step = self.place(text)
            self.assertEqual(
                step, Step(_REGISTRIES, "bootstrap-registry.airgap added", is_change=True)
            )
            lines = self.read(_REGISTRIES).splitlines()
            self.assertEqual([line for line in text.splitlines() if line not in lines], [])
            registries, problems = read_registries(self.read(_REGISTRIES).encode())
            self.assertEqual(problems, [])
            mirror = registries.mirrors["bootstrap-registry.airgap"]
            self.assertEqual([word.text for word in mirror.endpoints], ["http://127.0.0.1:9080"])

    def test_empty(self) -> None:
        """An empty file is treated as missing."""
        for text in ("", "\n"):
            self.assertEqual(self.place(text).action, "written")

    def test_with_mirror(self) -> None:
        """If the file has a mirror for this registry in any form, nothing is changed."""
        for text in (
            "mirrors: {'*': {endpoint: [http://127.0.0.1:9080]}}\n",
            'mirrors:\n  "*":\n    endpoint:\n    - http://localhost:9080/v2\n',
            "mirrors: {bootstrap-registry.airgap: {endpoint: [http://a:1, 127.0.0.1:9080]}}\n",
            f"{_MIRROR}    rewrite: {{^a/: b/}}\n",
        ):
            self.assertEqual(
                self.place(text), Step(_REGISTRIES, "already has a mirror for this registry")
            )

    def test_other_mirrors(self) -> None:
        """An endpoint with another port, scheme, path or registry is not such a mirror."""
        for endpoint in ("http://127.0.0.1:9081", "https://127.0.0.1:9080", "127.0.0.1:9080/x"):
            step = self.place(f"mirrors: {{'*': {{endpoint: [{endpoint!r}]}}}}\n")
            self.assertEqual(step.action, "bootstrap-registry.airgap added", endpoint)
            self.assertIn('"*" no longer applies to bootstrap-registry.airgap', step.detail)
        step = self.place("mirrors: {docker.io: {endpoint: [http://127.0.0.1:9080]}}\n")
        self.assertEqual(step.action, "bootstrap-registry.airgap added")

    def test_rewrite(self) -> None:
        """If a rewrite would apply to the endpoint, it is left to the operator."""
        mine = "mirrors:\n  bootstrap-registry.airgap:\n    endpoint: [http://a:1]\n"
        step = self.place(f"{mine}    rewrite:\n      ^a/: b/\n")
        self.assertEqual((step.action, step.is_left), ("the mirror was not added", True))
        self.assertIn(f"{_REGISTRIES}:5: the rewrites of bootstrap-registry.airgap", step.detail)

    def test_broken(self) -> None:
        """A file that K3s cannot read is kept, and the line is reported."""
        for text, where in (
            ("mirrors:\n  a: [\n", "3:1: this is not YAML"),
            ("mirrors:\n\ta: {}\n", "2:1: this line is indented with a tab"),
            ("mirrors: []\n", "1:10: mirrors must be a mapping"),
            (f"{_MIRROR}configs: x\n", "5:10: configs must be a mapping"),
        ):
            step = self.place(text)
            self.assertEqual(
                (step.action, step.is_left), ("K3s cannot read it, not changed", True)
            )
            self.assertIn(f"{_REGISTRIES}:{where}", step.detail)

    def test_form(self) -> None:
        """If nothing can be added, the text to add is shown."""
        step = self.place("x: &x {docker.io: {}}\nmirrors: *x\n")
        self.assertEqual(
            (step.action, step.is_left),
            ("the mirror cannot be added: add by hand", True),
        )
        self.assertIn(_MIRROR, step.detail)

    def test_misnamed(self) -> None:
        """A file with a wrong name is reported with a fix, and none is written."""
        self.write(_REGISTRIES.replace(".yaml", ".yml"), _MIRROR)
        step = self.install()[2]
        self.assertEqual(
            step,
            Step(
                _REGISTRIES,
                "does not exist, and K3s does not read /etc/rancher/k3s/registries.yml: "
                f"mv /etc/rancher/k3s/registries.yml {_REGISTRIES}, and run this again",
                is_left=True,
            ),
        )
        self.assertNotIn(_REGISTRIES, self.files())

    def test_link(self) -> None:
        """A link is kept, and its target in the image is changed."""
        self.write("/data/registries.yaml", "mirrors: {}\n")
        os.makedirs(os.path.dirname(self.node + _REGISTRIES))
        os.symlink("/data/registries.yaml", self.node + _REGISTRIES)
        self.assertEqual(self.install()[2].action, "bootstrap-registry.airgap added")
        self.assertEqual(os.readlink(self.node + _REGISTRIES), "/data/registries.yaml")
        self.assertIn("http://127.0.0.1:9080", self.read("/data/registries.yaml"))

    def test_closed(self) -> None:
        """A file with a login keeps its mode."""
        self.write(_REGISTRIES, "mirrors: {}\n")
        os.chmod(self.node + _REGISTRIES, 0o600)
        self.install()
        self.assertEqual(os.stat(self.node + _REGISTRIES).st_mode & 0o777, 0o600)

    def test_another_port(self) -> None:
        """If minreg listens on another address, that is the endpoint."""
        self.write("/etc/systemd/system/minreg.socket", "[Socket]\nListenStream=127.0.0.1:9081\n")
        self.install()
        self.assertIn('"http://127.0.0.1:9081"', self.read(_REGISTRIES))


class SettingsTests(InstallationTestCase):
    """Tests for the settings of K3s."""

    def settings(self) -> list[Step]:
        """Install, and return the steps about settings."""
        return self.install()[3:]

    def test_none(self) -> None:
        """Both settings are in a file of minreg's own."""
        (step,) = self.settings()
        self.assertEqual(step, Step(_SETTINGS, "written", is_change=True))
        self.assertTrue(
            self.read(_SETTINGS).endswith(
                "\nsystem-default-registry: bootstrap-registry.airgap\n"
                "disable-default-registry-endpoint: true\n"
            )
        )

    def test_set_elsewhere(self) -> None:
        """A setting that is in config.yaml is left out."""
        self.write(_CONFIG, "system-default-registry: bootstrap-registry.airgap\n")
        (step,) = self.settings()
        self.assertEqual(step.action, "written")
        self.assertNotIn("system-default-registry:", self.read(_SETTINGS))
        self.write(_CONFIG, self.read(_CONFIG) + "disable-default-registry-endpoint: 'true'\n")
        (step,) = self.settings()
        self.assertEqual(step, Step(_SETTINGS, "removed", is_change=True))
        (step,) = self.settings()
        self.assertEqual(step, Step(_SETTINGS, "not needed: these settings are in other files"))
        self.assertNotIn(_SETTINGS, self.files())

    def test_other_values(self) -> None:
        """Another value of the operator is kept and reported."""
        self.install()
        self.write(_CONFIG, "system-default-registry: registry.example\n")
        self.write(
            "/etc/rancher/k3s/config.yaml.d/99-mine.yaml",
            "# mine\ndisable-default-registry-endpoint: false\n",
        )
        steps = self.settings()
        given, fix = "system-default-registry", "not changed to"
        self.assertEqual(
            [(step.path, step.action) for step in steps],
            [
                (
                    f"{_CONFIG}:1",
                    f"{given} is registry.example, {fix} bootstrap-registry.airgap",
                ),
                (
                    "/etc/rancher/k3s/config.yaml.d/99-mine.yaml:2",
                    f"disable-default-registry-endpoint is false, {fix} true",
                ),
                (_SETTINGS, "removed"),
            ],
        )

    def test_broken(self) -> None:
        """If K3s cannot read config.yaml, no settings are written."""
        self.write(_CONFIG, "node-name: a\n\tb: c\n")
        (step,) = self.settings()
        self.assertEqual((step.path, step.is_left), (f"{_CONFIG}:2:1", True))
        self.assertIn("K3s cannot read it: this line is indented with a tab", step.action)
        self.assertNotIn(_SETTINGS, self.files())

    def test_elsewhere(self) -> None:
        """Settings that come from the server are not known on an agent."""
        self.write(
            "/etc/systemd/system/k3s.service",
            "[Service]\nExecStart=/usr/local/bin/k3s server --config https://a.example/c.yaml\n",
        )
        step = self.settings()[0]
        self.assertEqual((step.path, step.is_left), ("https://a.example/c.yaml", True))
        self.assertIn("cannot be read: it is not on this node", step.action)

    def test_changed_by_hand(self) -> None:
        """A changed file is kept."""
        self.install()
        self.write(_SETTINGS, self.read(_SETTINGS).replace("true", "false"))
        (step,) = self.settings()
        self.assertEqual((step.action, step.is_left), ("changed by hand, not replaced", True))


class UninstallTests(InstallationTestCase):
    """Tests for ``Installation.uninstall``."""

    def test_untouched(self) -> None:
        """The files of any version are removed; a second run has nothing to do."""
        self.install()
        steps = list(self.make("[Unit]\nAfter=a\n").uninstall())
        self.assertEqual({step.action for step in steps}, {"removed"})
        self.assertEqual(self.files(), set())
        self.assertEqual(list(self.make().uninstall()), [])

    def test_changed_by_hand(self) -> None:
        """Changed files are kept and reported."""
        self.install()
        self.write(_REGISTRIES, f"{_MIRROR}# mine\n")
        steps = list(self.make().uninstall())
        self.assertEqual(
            steps[-2],
            Step(_REGISTRIES, "changed by hand, not removed", is_left=True),
        )
        self.assertEqual(self.files(), {_REGISTRIES})

    def test_others(self) -> None:
        """Files of K3s without minreg's mirror are not reported."""
        for path, text in ((_REGISTRIES, "mirrors: {}\n"), (_CONFIG, "node-name: a\n")):
            self.write(path, text)
        self.assertEqual(list(self.make().uninstall()), [])

    def test_dry_run(self) -> None:
        """A dry run removes nothing."""
        self.install()
        steps = list(self.make(for_real=False).uninstall())
        self.assertEqual({step.action for step in steps}, {"would be removed"})
        self.assertEqual(len(self.files()), 4)
