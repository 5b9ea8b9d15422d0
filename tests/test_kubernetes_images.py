"""Tests for ``minreg.k3s.manifests.image_references``: what workloads name."""

import json
from textwrap import indent

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.manifests.found_images import ManifestImages
from minreg.k3s.manifests.image_references import find_images
from minreg.k3s.manifests.manifest_files import ManifestFile

POD = """\
initContainers:
- {name: a, image: "init:1"}
containers:
- name: b
  image: quay.io/x/main:2
  env: [{name: IMAGE, value: "no/image:1"}]
- name: c
  image: side@sha256:%s
ephemeralContainers:
- {name: d, image: debug}
volumes:
- {name: v, image: {reference: "ghcr.io/x/data:3", pullPolicy: Always}}
- {name: w, configMap: {name: image}}
""" % ("0" * 64)
NAMES = [
    "docker.io/library/init:1",
    "quay.io/x/main:2",
    f"docker.io/library/side@sha256:{'0' * 64}",
    "docker.io/library/debug:latest",
    "ghcr.io/x/data:3",
]
TEMPLATE = "template:\n  metadata: {labels: {a: b}}\n  spec:\n" + indent(POD, " " * 4)


_KEYS = ("kind", "apiVersion", "metadata", "spec", "containers", "image", "volumes", "reference")
_MORE_KEYS = ("data", "x.yaml", "values", "set", "upgrade", "prepare", "version", "jobImage")
SHAPES = st.recursive(
    st.sampled_from(["a:1", "", "{{x", None, 5, "\ud800", "A", "v1", "ConfigMap"]),
    lambda values: (
        st.lists(values, max_size=3)
        | st.dictionaries(st.sampled_from(_KEYS + _MORE_KEYS), values, max_size=4)
        | st.dictionaries(st.sampled_from(_MORE_KEYS), values, max_size=4).flatmap(
            lambda spec: st.sampled_from(
                [
                    {"apiVersion": "helm.cattle.io/v1", "kind": "HelmChart", "spec": spec},
                    {"apiVersion": "upgrade.cattle.io/v1", "kind": "Plan", "spec": spec},
                    {"apiVersion": "v1", "kind": "ConfigMap", "data": spec},
                ]
            )
        )
    ),
)


def resource(kind: str, spec: str, version: str = "v1") -> str:
    """Write a resource that has a specification."""
    return (
        f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x, namespace: y}}\n"
        f"spec:\n{indent(spec, '  ')}\n"
    )


def find(*texts: str) -> ManifestImages:
    """Find the images that files name."""
    return find_images(ManifestFile(f"{number}.yaml", text) for number, text in enumerate(texts))


def names(result: ManifestImages) -> list[str]:
    """Name what was result."""
    return [str(one.image) for one in result.images]


class WorkloadTests(SynchronousTestCase):
    """Tests for workloads of all kinds."""

    def test_kinds(self) -> None:
        """The images of containers and volumes are found in any kind of resource, in order."""
        for text in (
            resource("Pod", POD),
            *(
                resource(kind, TEMPLATE, version)
                for kind, version in (
                    ("Deployment", "apps/v1"),
                    ("DaemonSet", "apps/v1"),
                    ("StatefulSet", "apps/v1"),
                    ("ReplicaSet", "apps/v1"),
                    ("ReplicationController", "v1"),
                    ("Job", "batch/v1"),
                )
            ),
            resource("CronJob", f"jobTemplate:\n  spec:\n{indent(TEMPLATE, '    ')}", "batch/v1"),
            f"apiVersion: v1\nkind: PodTemplate\nmetadata: {{name: x}}\n{TEMPLATE}",
            resource("Rollout", TEMPLATE, "argoproj.io/v1alpha1"),
            resource("Widget", f"parts:\n- {indent(TEMPLATE, '  ').lstrip()}", "example.com/v1"),
        ):
            result = find(text)
            self.assertEqual((names(result), result.notes, result.errors), (NAMES, [], []), text)

    def test_lists(self) -> None:
        """A list is what is in it, and each item has its own name."""
        item = indent(resource("Pod", "containers: [{image: 'a:1'}]"), "  ")
        other = indent(resource("Job", "containers: [{image: 'b:1'}]"), "  ")
        text = f"apiVersion: v1\nkind: List\nitems:\n- {item.lstrip()}- {other.lstrip()}"
        self.assertEqual(
            [one.reason for one in find(text).images],
            ["0.yaml:8, Pod y/x", "0.yaml:13, Job y/x"],
        )

    def test_json(self) -> None:
        """JSON is read as well, and has no lines."""
        text = '{"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "a-"}, '
        text += '"spec": {"containers": [{"image": "a:1"}]}}'
        [one] = find(text).images
        self.assertEqual((str(one.image), one.reason), ("docker.io/library/a:1", "0.yaml, Pod a-"))

    def test_documents(self) -> None:
        """A file has any number of documents, and there are any number of files."""
        text = "---\n".join(
            ["# nothing\n", resource("Pod", POD), "a: b\n", resource("Job", TEMPLATE)]
        )
        self.assertEqual(names(find(text, text)), NAMES * 4)

    def test_status(self) -> None:
        """What a cluster says of what it did is not what is wanted."""
        text = resource("Pod", POD) + "status:\n  containerStatuses: [{image: 'other:1'}]\n"
        self.assertEqual((names(find(text)), find(text).notes), (NAMES, []))

    def test_definitions(self) -> None:
        """A definition of resources is no resource."""
        text = resource("CustomResourceDefinition", POD, "apiextensions.k8s.io/v1")
        self.assertEqual(names(find(text)), [])

    def test_config_map(self) -> None:
        """Manifests in a ConfigMap are read: the provisioner of K3s starts pods from one."""
        text = (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: local-path-config}\ndata:\n"
            "  broken.yaml: 'image: ]'\n  setup: |-\n    #!/bin/sh\n    image=x:1\n"
            "  helperPod.yaml: |-\n"
            + indent(resource("Pod", "containers:\n- image: busybox:1"), "    ")
            + "  SYSTEM_UPGRADE_JOB_KUBECTL_IMAGE: rancher/kubectl:v1.30.3\n"
            "  SYSTEM_UPGRADE_JOB_KUBECTL_IMAGE_WINDOWS: ''\n"
        )
        result = find(text)
        self.assertEqual(
            [f"{one.image} {one.reason}" for one in result.images],
            [
                "docker.io/library/busybox:1 0.yaml:15, Pod y/x",
                "docker.io/rancher/kubectl:v1.30.3 0.yaml:16, ConfigMap local-path-config",
            ],
        )
        self.assertEqual((result.errors, result.notes), ([], []))

    def test_shared_data(self) -> None:
        """What many ConfigMaps share is read once."""
        pod = indent(resource("Pod", "containers:\n- image: a:1"), "    ")
        for data in ("*v", "{b.yaml: *w}"):
            maps = f"- {{apiVersion: v1, kind: ConfigMap, data: {data}}}\n" * 50
            result = find(f"v: &v\n  a.yaml: &w |-\n{pod}c:\n{maps}")
            self.assertEqual((names(result), result.errors), (["docker.io/library/a:1"], []))


class UnknownTests(SynchronousTestCase):
    """Tests for what cannot be known, and what is wrong."""

    def test_filled_in_later(self) -> None:
        """An image that is filled in later is remarked upon."""
        for image in ("{{ .Values.image }}:1", "${IMAGE}", "%{REGISTRY}%a:1", "$(IMAGE)"):
            result = find(resource("Pod", f"containers:\n- image: '{image}'"))
            self.assertEqual(names(result), [])
            self.assertEqual(
                result.notes,
                [f"0.yaml:6, Pod y/x: '{image}' has a placeholder: the image is not known"],
            )

    def test_elsewhere(self) -> None:
        """An image outside of a pod is likely, with its path, if it has the form of one."""
        result = find(
            resource("Prometheus", "image: quay.io/prometheus/prometheus:v2", "monitoring/v1"),
            resource("Picture", "image: logo", "example.com/v1"),
        )
        self.assertEqual((names(result), result.notes), ([], []))
        [likely] = result.likely
        self.assertEqual(str(likely.image), "quay.io/prometheus/prometheus:v2")
        self.assertEqual(likely.reason, "0.yaml:5, Prometheus y/x, spec.image")

    def test_empty(self) -> None:
        """No image, or one that is no text, names nothing."""
        text = resource("Pod", "containers:\n- image: ''\n- image:\n- image: [a]\n- {}\n- a\n")
        result = find(text, resource("Pod", "containers: {image: a:1}\nvolumes: x\n"))
        self.assertEqual((names(result), result.errors), ([], []))

    def test_no_name(self) -> None:
        """Text that is not an image name is reported with its file and line."""
        result = find(resource("Pod", "containers:\n- image: 'A B:1'\n- image: 'a:1'"))
        self.assertEqual(names(result), ["docker.io/library/a:1"])
        [error] = result.errors
        self.assertIn("0.yaml:6, Pod y/x: 'A B:1' is not an image name: ", error)

    def test_broken(self) -> None:
        """A file that is no YAML is complained of; the others are read all the same."""
        result = find("image: {{ a }}:1\n", resource("Pod", POD), "image: [\n")
        self.assertEqual(names(result), NAMES)
        self.assertEqual([one[:9] for one in result.errors], ["0.yaml:1:", "2.yaml:2:"])

    def test_alias_bomb(self) -> None:
        """Aliases of aliases are looked at once."""
        lines = ["a0: &a0 {containers: [{image: 'a:1'}], volumes: &v [{image: {reference: b}}]}"]
        lines += [f"a{n}: &a{n} [{f'*a{n - 1},' * 9}{{volumes: *v}}]" for n in range(1, 60)]
        self.assertEqual(len(names(find("\n".join(lines)))), 2)

    def test_itself(self) -> None:
        """A value that holds itself is looked at once."""
        self.assertEqual(len(names(find("&a {b: *a, containers: [{image: 'a:1', x: *a}]}"))), 1)

    def test_control_characters(self) -> None:
        """Control characters in manifests are escaped in messages."""
        text = resource("Pod", 'containers:\n- image: "\\e[2J{{"\n- image: "\\e[2J"\n')
        text = text.replace("name: x", 'name: "\\a\\e[1m"')
        result = find(text)
        self.assertEqual((len(result.notes), len(result.errors)), (1, 1))
        for line in (*result.notes, *result.errors):
            self.assertTrue(line.isprintable(), line)

    @given(SHAPES)
    def test_any_shape(self, value: object) -> None:
        """Resources of any shape are searched without a fault."""
        find(json.dumps({"image": value}))
