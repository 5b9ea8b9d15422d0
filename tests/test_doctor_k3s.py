"""Tests for the doctor's rules about K3s."""

import json
import os

from minreg.k3s.doctor.rules.k3s_configuration import IMPORT_RATE, WORTH_SAVING
from minreg.oci.names import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Digest
from tests.doctor_support import MIRRORS, RulesTestCase
from tests.nodes import CONFIG, CONTAINERD, REGISTRIES, SERVICE
from tests.trees import descriptor

_IMAGES = "/var/lib/rancher/k3s/agent/images"
_BLOBS = "/var/lib/rancher/k3s/agent/containerd/io.containerd.content.v1.content/blobs/sha256"
_TREE = "/var/lib/rancher/k3s/server/registry"
_LATER = 4_000_000_000


class K3sRulesTests(RulesTestCase):
    """Tests for the rules about settings of K3s, a golden one for each."""

    def test_rule_restart(self) -> None:
        """k3s-io/k3s#2187: what was changed since the last start has no effect yet."""
        self.node.replace(REGISTRIES, "127.0.0.1", "localhost")
        self.change_later(REGISTRIES)
        self.assert_found(
            (
                "restart",
                REGISTRIES,
                "the file was changed after K3s was started, which reads it only then",
                "systemctl restart k3s.service",
            )
        )

    def test_rule_embedded_registry(self) -> None:
        """k3s-io/k3s#10056: without mirrors it is not started."""
        self.node.write(CONFIG, "embedded-registry: true\n")
        for registries in ("", "mirrors:\n  localhost:5000:\n"):
            self.node.write(REGISTRIES, registries)
            (found,) = (
                found for found in self.node.diagnose() if found.rule.id == "embedded-registry"
            )
            self.assertEqual(
                (found.path, found.line, found.problem, found.fix),
                (
                    CONFIG,
                    1,
                    (
                        "K3s starts its embedded registry only if registries.yaml has mirrors, "
                        "and distributes only the images of these registries"
                    ),
                    (
                        f'add the registries to {REGISTRIES}, such as mirrors: {{"*": {{}}}}, or '
                        "remove embedded-registry"
                    ),
                ),
            )
        self.node.write(REGISTRIES, 'mirrors:\n  "*":\n')
        rules = [found.rule.id for found in self.node.diagnose()]
        self.assertNotIn("embedded-registry", rules)

    def test_configuration_changed(self) -> None:
        """A changed configuration of K3s needs a restart too."""
        self.change_later(CONFIG)
        (found,) = self.node.diagnose()
        self.assertEqual((found.rule.id, found.path), ("restart", CONFIG))

    def test_touched(self) -> None:
        """A file that says what it said before asks for nothing."""
        self.change_later(REGISTRIES)
        self.assert_nothing_found()

    def test_rule_default_endpoint(self) -> None:
        """k3s-io/k3s#8975: the default endpoint, which is not reachable, is asked as well."""
        self.node.write(CONFIG, "system-default-registry: bootstrap-registry.airgap\n")
        self.node.restart_k3s()
        self.assert_found(
            (
                "default-endpoint",
                CONFIG,
                (
                    "an image that no endpoint has is then requested from "
                    "https://bootstrap-registry.airgap: without a network that only takes "
                    "time, and hides the error that says which image is missing"
                ),
                "add disable-default-registry-endpoint: true",
            )
        )

    def test_told_otherwise(self) -> None:
        """The command line and later files count as well."""
        self.node.write(CONFIG, "system-default-registry: bootstrap-registry.airgap\n")
        self.node.replace(SERVICE, "=traefik'", "=traefik' --disable-default-registry-endpoint")
        self.node.restart_k3s()
        self.assert_nothing_found()
        self.node.write(f"{CONFIG}.d/a.yaml", "disable-default-registry-endpoint: false\n")
        self.node.replace(SERVICE, " --disable-default-registry-endpoint", "")
        self.node.restart_k3s()
        self.assertEqual([found.rule.id for found in self.node.diagnose()], ["default-endpoint"])

    def test_rule_system_default_registry(self) -> None:
        """The registry for the system's images is one that a mirror is for."""
        self.node.replace(CONFIG, "bootstrap-registry.airgap", "registry.example")
        self.node.restart_k3s()
        self.assert_found(
            (
                "system-default-registry",
                f"{CONFIG}:1",
                (
                    "K3s pulls all its system images from registry.example, which has no "
                    "mirror: only https://registry.example is asked"
                ),
                (
                    "add a mirror registry.example with the endpoint http://127.0.0.1:9080 to "
                    "/etc/rancher/k3s/registries.yaml"
                ),
            )
        )

    def test_system_registry_with_scheme(self) -> None:
        """It is a host, without a scheme."""
        self.node.replace(CONFIG, "bootstrap-registry", "https://bootstrap-registry")
        self.node.restart_k3s()
        (found,) = self.node.diagnose()
        self.assertEqual(
            (found.rule.id, found.fix),
            ("system-default-registry", "write bootstrap-registry.airgap"),
        )

    def test_system_registry_with_slash(self) -> None:
        """K3s puts a slash behind it, so it has none of its own."""
        self.node.replace(CONFIG, ".airgap", ".airgap/")
        self.node.restart_k3s()
        problem = (
            "bootstrap-registry.airgap/ ends with a slash, and K3s appends another one: no image "
            "name is then valid"
        )
        fix = "write bootstrap-registry.airgap"
        self.assert_found(("system-default-registry", f"{CONFIG}:1", problem, fix))

    def test_system_registry_covered(self) -> None:
        """The wildcard applies to it as well."""
        self.set_registries(MIRRORS.replace("bootstrap-registry.airgap", '"*"'))
        self.assert_nothing_found()

    def test_rule_agent_setting(self) -> None:
        """rancher/rancher#45607: an agent of K3s does not know a setting that servers have."""
        self.node.replace(SERVICE, "server \\", "agent \\")
        self.node.restart_k3s()
        self.assert_found(
            (
                "agent-setting",
                f"{CONFIG}:1",
                (
                    "K3s does not start as an agent: flag provided but not defined: "
                    "-system-default-registry; it gets this setting from its server"
                ),
                (
                    "remove system-default-registry, or run minreg node install --start if "
                    "minreg wrote this file"
                ),
            )
        )
        self.node.replace(CONFIG, "system-default-registry: bootstrap-registry.airgap\n", "")
        self.node.restart_k3s()
        self.assert_nothing_found()

    def test_rule_containerd_template(self) -> None:
        """k3s-io/k3s#3134: a template without config_path has no mirrors."""
        template = f"{CONTAINERD}/config.toml.tmpl"
        self.node.write(template, "[plugins.opt]\n  path = '/var/lib/rancher/k3s'\n")
        self.assert_found(
            (
                "containerd-template",
                template,
                ("it replaces K3s' own template, but has no config_path: certs.d is not read"),
                ('begin it with {{ template "base" . }}, and remove what that already contains'),
            )
        )
        self.node.write(template, '{{ template "base" . }}\n')
        self.assert_nothing_found()

    def test_rule_archives(self) -> None:
        """k3s-io/k3s#9242: archives that are imported at each start are reported."""
        archive = f"{_IMAGES}/k3s-airgap-images-amd64.tar.zst"
        self.node.write(archive, "")
        os.truncate(self.node.place(archive), 10 * IMPORT_RATE)
        self.assert_found(
            (
                "archives",
                _IMAGES,
                (
                    "each start imports 1 archive of 770.0 MB before the kubelet starts, "
                    "which takes at least 10 seconds; and these images are on the disk twice"
                ),
                f"minreg import -d {_TREE} {archive}; then move the archives away",
            )
        )

    def test_archives_wanted(self) -> None:
        """They are left alone with an import cache, or if there is nothing else."""
        self.node.write(f"{_IMAGES}/a.tar", "x")
        self.node.write(f"{_IMAGES}/.cache.json", "{}")
        self.assert_nothing_found()
        self.node.remove(f"{_IMAGES}/.cache.json")
        self.node.remove(_TREE)
        self.assertEqual([found.rule.id for found in self.node.diagnose()], ["root-missing"])

    def change_later(self, path: str) -> None:
        """Have a file changed after all others."""
        os.utime(self.node.place(path), (_LATER, _LATER))


class LayersRuleTests(RulesTestCase):
    """Tests for ``check_layers``."""

    def setUp(self) -> None:
        """Put an image with a large layer into containerd's store."""
        super().setUp()
        layer = Digest.of(b"layer")
        self.add_blob(layer, b"")
        os.truncate(self.node.place(f"{_BLOBS}/{layer.encoded}"), WORTH_SAVING)
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(OCI_CONFIG, Digest.of(b"{}"), 2),
            "layers": [descriptor(OCI_LAYER, layer, WORTH_SAVING)],
        }
        for content in (b"{}", json.dumps(manifest).encode()):
            self.add_blob(Digest.of(content), content)

    def add_blob(self, digest: Digest, content: bytes) -> None:
        """Put a blob into the store."""
        self.node.write(f"{_BLOBS}/{digest.encoded}", content)

    def test_rule_discard_layers(self) -> None:
        """k3s-io/k3s#11801: layers that are stored twice are reported, with the fix."""
        self.assert_found(
            (
                "discard-layers",
                CONTAINERD,
                (
                    "containerd keeps 1 layer of 100.0 MB that it has already unpacked, and "
                    "could pull again from minreg"
                ),
                (
                    "set discard_unpacked_layers = true below "
                    "[plugins.'io.containerd.cri.v1.images'] in "
                    f"{CONTAINERD}/config-v3.toml.d/discard-layers.toml; existing layers are "
                    "deleted with their images (k3s crictl rmi --prune)"
                ),
            )
        )

    def test_not_imported(self) -> None:
        """Where K3s imports nothing, a template does; with one at hand, that is to be changed."""
        config = f"{CONTAINERD}/config.toml"
        self.node.write(config, "version = 3\n")
        (found,) = self.node.diagnose()
        line = f'imports = ["{CONTAINERD}/config-v3.toml.d/*.toml"]'
        self.assertIn(f"{CONTAINERD}/config-v3.toml.tmpl with {line}", found.fix)
        self.assertEqual(len(found.changes), 2)
        self.node.write(f"{CONTAINERD}/config-v3.toml.tmpl", '{{ template "base" . }}\n')
        (found,) = self.node.diagnose()
        self.assertEqual(len(found.changes), 1)
        self.node.write(f"{CONTAINERD}/config-v3.toml.d/discard-layers.toml", "version = 3\n")
        (found,) = self.node.diagnose()
        self.assertEqual(found.changes, (), "a table of TOML must not be there twice")

    def test_containerd_1(self) -> None:
        """The settings of containerd 1 are one file, and have other names."""
        self.node.write(f"{CONTAINERD}/config.toml", "version = 2\n")
        (found,) = self.node.diagnose()
        self.assertIn(
            "add discard_unpacked_layers = true below "
            '[plugins."io.containerd.grpc.v1.cri".containerd]',
            found.fix,
        )
        self.assertEqual(found.changes, ())

    def test_done(self) -> None:
        """Once it is set, nothing is found."""
        self.node.write(
            f"{CONTAINERD}/config-v3.toml.d/x.toml",
            "version = 3\n[plugins.'io.containerd.cri.v1.images']\n"
            "  discard_unpacked_layers = true\n",
        )
        self.assert_nothing_found()

    def test_needed(self) -> None:
        """The embedded registry shares these layers: it needs them."""
        self.node.write(f"{CONFIG}.d/a.yaml", "embedded-registry: true\n")
        self.node.restart_k3s()
        self.assert_nothing_found()
