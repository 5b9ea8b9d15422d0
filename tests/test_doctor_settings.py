"""Tests for ``minreg.k3s.doctor.k3s_settings``."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.doctor.k3s_settings import K3sSettings, read_settings
from minreg.k3s.doctor.node_files import NodeFiles
from minreg.k3s.doctor.services import K3S, RKE2, find_service
from tests.nodes import CONFIG, SERVICE, NodeBuilder


class SettingsTests(SynchronousTestCase):
    """Tests for ``read_settings``."""

    def setUp(self) -> None:
        """Make a node with K3s."""
        self.node = NodeBuilder(self.mktemp())
        self.node.install_k3s()
        self.files = NodeFiles(self.node.prefix)

    def settings(self) -> K3sSettings:
        """Read K3s' settings."""
        return read_settings(self.files, K3S, find_service(self.files, K3S))

    def set_options(self, options: str) -> None:
        """Start K3s with options."""
        self.node.replace(SERVICE, "'--disable=traefik'", options)

    def test_files(self) -> None:
        """Later files replace what earlier ones say, or add to it."""
        self.node.write(CONFIG, "a: 1\nb: [1, 2]\nm+: 1\nn: x\n")
        self.node.write(f"{CONFIG}.d/10-a.yaml", "a: 2\nb+:\n  - 3\nm+: 2\n")
        self.node.write(f"{CONFIG}.d/20-b.yml", "b+: 4\nn+:\n")
        self.node.write(f"{CONFIG}.d/30-c.txt", "a: 3\n")
        settings = self.settings()
        self.assertEqual(settings.setting("a").values, ("2",))
        self.assertEqual(settings.setting("b").values, ("1", "2", "3", "4"))
        self.assertEqual(settings.setting("m").values, ("1", "2"))
        self.assertEqual(settings.setting("a").path, f"{CONFIG}.d/10-a.yaml")
        self.assertEqual(settings.setting("b").line, 1)
        self.assertEqual(settings.setting("none").text, "")

    def test_drop_ins_alone(self) -> None:
        """Files beside the main one count without it."""
        self.node.remove(CONFIG)
        self.node.write(f"{CONFIG}.d/a.yaml", "a: true\n")
        self.assertTrue(self.settings().setting("a").is_true)

    def test_order(self) -> None:
        """The command line counts most, the environment least."""
        environment = "K3S_SYSTEM_DEFAULT_REGISTRY=e.example\nK3S_DATA_DIR=/e\n"
        environment += "K3S_PRIVATE_REGISTRY=/nobody/reads/this.yaml\n"
        self.node.write("/etc/default/k3s", environment)
        self.node.write(CONFIG, "data-dir: /c\n")
        self.assertEqual(self.settings().setting("data-dir").text, "/c")
        self.assertEqual(self.settings().setting("system-default-registry").text, "e.example")
        self.assertEqual(self.settings().setting("private-registry").values, ())
        self.set_options("-d /o --system-default-registry=o.example --embedded-registry")
        settings = self.settings()
        self.assertEqual(settings.setting("data-dir").text, "/o")
        self.assertEqual(settings.setting("system-default-registry").text, "o.example")
        self.assertTrue(settings.setting("embedded-registry").is_true)

    def test_another_file(self) -> None:
        """The configuration may be called otherwise, by an option or by the environment."""
        self.node.write("/etc/other.yaml", "a: 1\n")
        self.node.write("/etc/other.yaml.d/b.yaml", "b: 1\n")
        self.set_options("--config /etc/other.yaml")
        self.assertEqual(self.settings().path, "/etc/other.yaml")
        self.assertEqual(self.settings().setting("b").text, "1")
        self.node.write("/etc/systemd/system/k3s.service.env", "K3S_CONFIG_FILE=http://a/c.yaml\n")
        settings = self.settings()
        self.assertEqual(settings.path, "http://a/c.yaml")
        self.assertEqual(self.files.unread, {"http://a/c.yaml": "it is not on this node"})

    def test_truth(self) -> None:
        """A switch is on by its name alone, or by a word that says so."""
        self.set_options("--a --b=false --m=1")
        self.node.write(CONFIG, "n: true\no: yes\np: no\nq: 'true'\n")
        settings = self.settings()
        true = [name for name in "abmnopq" if settings.setting(name).is_true]
        self.assertEqual(true, ["a", "m", "n", "o", "q"])

    def test_disabled(self) -> None:
        """What K3s is to leave out may be said in several places, and in several words."""
        self.set_options("--disable traefik --disable=coredns,nonsense --disable-helm-controller")
        self.node.write(CONFIG, "disable: [servicelb]\n")
        self.assertEqual(
            self.settings().disabled, {"traefik", "coredns", "servicelb", "helm-controller"}
        )
        self.node.replace(SERVICE, "--disable", "--enable")
        self.assertEqual(self.settings().disabled, {"servicelb"})

    def test_letters(self) -> None:
        """One letter stands for the name that it is short for."""
        self.node.write(CONFIG, "d: /c\n")
        self.assertEqual(self.settings().setting("data-dir").text, "/c")
        self.set_options("-d /o")
        self.assertEqual(self.settings().setting("data-dir").text, "/o")

    def test_problems(self) -> None:
        """Mistakes are reported with their file; mappings are not settings."""
        self.node.write(CONFIG, "a: 1\na: 2\nb: {c: 1}\n")
        self.node.write(f"{CONFIG}.d/a.yaml", "a: [\n")
        settings = self.settings()
        problems = [(path, diagnostic.rule) for path, diagnostic in settings.diagnostics]
        self.assertEqual(problems, [(CONFIG, "duplicate-key"), (f"{CONFIG}.d/a.yaml", "syntax")])
        self.assertEqual(settings.setting("a").text, "2")

    def test_rke2(self) -> None:
        """RKE2 has places of its own."""
        self.node.write("/etc/rancher/rke2/config.yaml", "a: 1\n")
        settings = read_settings(self.files, RKE2, None)
        self.assertEqual(settings.setting("a").text, "1")
        self.assertEqual(RKE2.variable("data-dir"), "RKE2_DATA_DIR")
