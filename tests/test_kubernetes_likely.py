"""Tests for images that manifests name elsewhere than in the fields of Kubernetes for them."""

import json
from textwrap import indent

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.manifests.found_images import ManifestImages
from minreg.k3s.manifests.image_references import find_images
from minreg.k3s.manifests.manifest_files import ManifestFile
from tests.test_kubernetes_images import SHAPES

OPERATOR = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: op, namespace: sys, annotations: {example.com/helper: "quay.io/acme/note:1"}}
spec:
  template:
    spec:
      containers:
      - name: op
        image: quay.io/acme/operator:1.0
        args: ["--sidecar-image=quay.io/acme/sidecar:1.0", "--other-image", "acme/other:1.0"]
        command: [run, --agent-image, docker.io/acme/agent:2, --reloader=quay.io/acme/reload:1]
        env:
        - {name: RELATED_IMAGE_DB, value: "quay.io/acme/db:3"}
        - {name: IMAGES, value: "a=quay.io/acme/x:1\\nb=quay.io/acme/y:1\\n"}
        - {name: HELPER_IMAGE, value: quay.io/acme/helper}
"""
CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: op-config}
data:
  ROOK_CSI_CEPH_IMAGE: "quay.io/acme/csi:1"
  DEFAULT_IMAGE: acme/default:1
  config: |
    sidecar:
      image: quay.io/acme/injected:1
  values.json: '{"image": {"repository": "quay.io/acme/v", "tag": "1"}}'
  script.sh: |
    # docker run quay.io/acme/comment:1
    run --image "quay.io/acme/script:1.2" --port 80
"""
POD_TEXT = """\
  pod.tpl: |
    apiVersion: v1
    kind: Pod
    metadata: {name: p}
    spec: {containers: [{name: a, image: "quay.io/acme/podtpl:1"}]}
"""


def find(*texts: str, name: str = "m.yaml") -> ManifestImages:
    """Find the images that files name."""
    return find_images(ManifestFile(name, text) for text in texts)


def likely(*texts: str) -> list[str]:
    """Name the likely images of files, in short: without Docker Hub's host."""
    return [str(one.image).removeprefix("docker.io/") for one in find(*texts).likely]


def custom(spec: str, kind: str = "Widget", version: str = "example.com/v1") -> str:
    """Write a resource of an operator."""
    head = f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x}}\nspec:\n"
    return head + indent(spec, "  ")


class OperatorTests(SynchronousTestCase):
    """Tests for what operators are told in options, variables and configuration."""

    def test_options_and_variables(self) -> None:
        """Options, variables and annotations name likely images, with line and path."""
        result = find(OPERATOR)
        container = "spec.template.spec.containers[0]"
        self.assertEqual([str(one.image) for one in result.images], ["quay.io/acme/operator:1.0"])
        self.assertEqual(
            [f"{one.image} {one.reason}" for one in result.likely[1:5]],
            [
                f"{image} m.yaml:{line}, Deployment sys/op, {container}.{path}"
                for image, line, path in (
                    ("quay.io/acme/sidecar:1.0", 10, "args[0]"),
                    ("docker.io/acme/other:1.0", 10, "args[2]"),
                    ("docker.io/acme/agent:2", 11, "command[2]"),
                    ("quay.io/acme/reload:1", 11, "command[3]"),
                )
            ],
        )
        self.assertEqual(
            [str(one.image) for one in (result.likely[0], *result.likely[5:])],
            [
                "quay.io/acme/note:1",
                "quay.io/acme/db:3",
                "quay.io/acme/x:1",
                "quay.io/acme/y:1",
                "quay.io/acme/helper:latest",
            ],
        )

    def test_config_map(self) -> None:
        """Values of a ConfigMap are searched, also YAML and JSON in them."""
        result = find(CONFIG)
        self.assertEqual(
            [f"{one.image} {one.reason.partition(', ')[0]}" for one in result.likely],
            [
                "quay.io/acme/csi:1 m.yaml:5",
                "docker.io/acme/default:1 m.yaml:6",
                "quay.io/acme/injected:1 m.yaml:9",
                "quay.io/acme/v:1 m.yaml:10",
                "quay.io/acme/script:1.2 m.yaml:13",
            ],
        )

    def test_nested_manifests(self) -> None:
        """A manifest in a ConfigMap or a Secret names its images like any other."""
        secret = CONFIG.partition("data:")[0].replace("ConfigMap", "Secret") + "stringData:\n"
        for head in (CONFIG.partition("data:")[0] + "data:\n", secret):
            result = find(head + POD_TEXT)
            [one] = result.images
            self.assertEqual(str(one.image), "quay.io/acme/podtpl:1")

    def test_commented_default(self) -> None:
        """A setting in a comment documents the default of the program."""
        text = 'data:\n  # ROOK_CSI_IMAGE: "quay.io/acme/csi:v3"\n  # image: quay.io/acme/no:1\n'
        [one] = find(text).likely
        self.assertEqual(
            f"{one.image} {one.reason}",
            "quay.io/acme/csi:v3 m.yaml:2, default of ROOK_CSI_IMAGE in a comment",
        )

    def test_templates(self) -> None:
        """A template that is filled in later is a note, and its literal images are likely."""
        text = "data:\n  t: |\n    image: {{ .Values.image }}\n    image: busybox:1.28\n"
        result = find(text)
        self.assertEqual(
            [str(one.image) for one in result.likely], ["docker.io/library/busybox:1.28"]
        )
        self.assertEqual(
            result.notes,
            ["m.yaml:2: this template names images that are filled in later: they are not known"],
        )

    def test_unquoted_template(self) -> None:
        """YAML reads a template without quotes as a mapping, which is no reason for silence."""
        result = find("kind: Pod\nspec:\n  containers:\n  - image: {{ .Values.image }}\n")
        self.assertEqual((result.images, result.errors), ([], []))
        self.assertIn("render the template", result.notes[0])

    def test_placeholders(self) -> None:
        """A value with a placeholder is a note if its field is for an image."""
        result = find("someImage: ${REGISTRY}/a:1\nother: ${REGISTRY}/a:1\n")
        self.assertEqual(
            (result.likely, result.notes),
            ([], ["m.yaml:1: '${REGISTRY}/a:1' has a placeholder: the image is not known"]),
        )

    def test_defaults_of_definitions(self) -> None:
        """Of a definition of resources, only the defaults count."""
        text = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: x}
spec:
  properties:
    image: {default: "quay.io/acme/a:1", description: "such as quay.io/acme/b:1"}
    other: {example: "quay.io/acme/c:1"}
"""
        self.assertEqual(likely(text), ["quay.io/acme/a:1"])

    def test_repetitions(self) -> None:
        """What repeats or explains another field is not searched."""
        annotations = "kubectl.kubernetes.io/last-applied-configuration"
        text = f'metadata: {{annotations: {{{annotations}: \'{{"image": "a/b:1"}}\'}}}}\n'
        text += "description: use quay.io/acme/a:1\nstatus: {image: quay.io/acme/b:1}\n"
        self.assertEqual(likely(text), [])

    def test_duplicates(self) -> None:
        """A likely image is listed once, and not at all if it is required."""
        text = OPERATOR.replace("quay.io/acme/db:3", "quay.io/acme/operator:1.0")
        found = likely(text, text)
        self.assertEqual(len(found), len(set(found)))
        self.assertNotIn("quay.io/acme/operator:1.0", found)


class ResourceTests(SynchronousTestCase):
    """Tests for resources of operators."""

    def test_known(self) -> None:
        """The fields of known resources are required, also without a tag."""
        for version, kind, spec, image in (
            (
                "argoproj.io/v1alpha1",
                "Workflow",
                "templates: [{container: {image: busybox}}]",
                "library/busybox:latest",
            ),
            ("tekton.dev/v1", "Task", "steps: [{image: a/b}]", "a/b:latest"),
            ("postgresql.cnpg.io/v1", "Cluster", "imageName: a/b:16", "a/b:16"),
            ("ceph.rook.io/v1", "CephCluster", "cephVersion: {image: a/b:v20}", "a/b:v20"),
            ("monitoring.coreos.com/v1", "Prometheus", "image: a/b:v3", "a/b:v3"),
        ):
            [one] = find(custom(spec, kind, version)).images
            self.assertEqual(str(one.image), f"docker.io/{image}", kind)

    def test_forms(self) -> None:
        """Images in parts are put together, in every form that is in use."""
        for spec, image in {
            "image: {repository: quay.io/a/b, tag: 1.10}": "quay.io/a/b:1.10",
            "image: {registry: quay.io, repository: a/b, tag: v1}": "quay.io/a/b:v1",
            "image: {name: quay.io/a/b, version: v1}": "quay.io/a/b:v1",
            "toolkit: {repository: nvcr.io/a/b, image: c, version: v1}": "nvcr.io/a/b/c:v1",
            "x: {repository: nvcr.io/a, image: c, tag: v2, version: v1}": "nvcr.io/a/c:v2",
            "x: {hub: quay.io/a, image: b, tag: v1}": "quay.io/a/b:v1",
            "global: {hub: quay.io/a, tag: v1, proxy: {image: b}}": "quay.io/a/b:v1",
            "{global: {hub: quay.io/a, tag: v1}, pilot: {image: b}}": "quay.io/a/b:v1",
            "{base: quay.io/a, components: {x: {image: b, tag: v1}}}": "quay.io/a/b:v1",
            "{baseImage: quay.io/a/b, version: v1}": "quay.io/a/b:v1",
            "{fooImage: quay.io/a/b, fooImageTag: v1}": "quay.io/a/b:v1",
            "images: [{name: a/b:1}]": "a/b:1",
            "images: {one: 'a/b:1'}": "a/b:1",
            "images: ['a/b:1']": "a/b:1",
            "defaultImage: a/b:1": "a/b:1",
            "container: {image: redis, ports: []}": "library/redis:latest",
            "image: a/b": "a/b:latest",
            "image: docker://quay.io/a/b:1": "quay.io/a/b:1",
            "package: xpkg.example.org/a/b:v1.2": "xpkg.example.org/a/b:v1.2",
        }.items():
            self.assertEqual(likely(custom(spec)), [image], spec)

    def test_digests(self) -> None:
        """A digest is part of the name, unless it is not to be used."""
        zeros = "0" * 64
        image = f"repository: quay.io/a/b, tag: v1, digest: 'sha256:{zeros}'"
        self.assertEqual(likely(custom(f"image: {{{image}}}")), [f"quay.io/a/b:v1@sha256:{zeros}"])
        self.assertEqual(
            likely(custom(f"image: {{{image}, useDigest: false}}")), ["quay.io/a/b:v1"]
        )
        sha = f"image: {{repository: a/b, sha: '{zeros}'}}"
        self.assertEqual(likely(custom(sha)), [f"a/b@sha256:{zeros}"])

    def test_unknown_tags(self) -> None:
        """An image whose tag is elsewhere is a note."""
        driver = "x: {repository: nvcr.io/nvidia, image: driver, version: '550'}"
        for spec, image in {
            "image: {repository: quay.io/a/b}": "quay.io/a/b",
            "controllerImage: quay.io/a/b": "quay.io/a/b",
            driver: "nvcr.io/nvidia/driver",
        }.items():
            result = find(custom(spec))
            self.assertEqual(result.likely, [], spec)
            [note] = result.notes
            self.assertTrue(
                note.endswith(f"the tag of image '{image}' is not in this field: it is not known")
            )

    def test_injected(self) -> None:
        """``auto`` is replaced by Istio's injector, and is no image to download."""
        result = find("kind: Pod\nspec: {containers: [{name: istio-proxy, image: auto}]}\n")
        self.assertEqual((result.images, result.likely), ([], []))
        self.assertIn("m.yaml:2: 'auto' is replaced by Istio's injector", result.notes[0])

    def test_chart_values(self) -> None:
        """The values of a HelmChartConfig are searched like any other text."""
        values = (
            "driver: {repository: nvcr.io/nvidia, image: driver, version: '550.1'}\n"
            "toolkit: {repository: nvcr.io/nvidia/k8s, image: container-toolkit, tag: v1.17}\n"
            "prometheus: {hub: quay.io/acme, image: prom, tag: v1}\n"
            "kubectlImage: quay.io/acme/kubectl:1\n"
            'extraArgs: ["--x-image=quay.io/acme/arg:1"]\n'
        )
        spec = f"valuesContent: |-\n{indent(values, '  ')}"
        result = find(custom(spec, "HelmChartConfig", "helm.cattle.io/v1"))
        self.assertEqual(
            [str(one.image) for one in (*result.images, *result.likely)],
            [
                "nvcr.io/nvidia/k8s/container-toolkit:v1.17",
                "quay.io/acme/prom:v1",
                "quay.io/acme/kubectl:1",
                "quay.io/acme/arg:1",
            ],
        )
        self.assertIn("the tag of image 'nvcr.io/nvidia/driver' is in the chart", result.notes[0])

    def test_injector_values(self) -> None:
        """The hub and tag of a service mesh apply to the images below them."""
        values = json.dumps(
            {"global": {"hub": "gcr.io/acme", "tag": "1.2.3", "proxy": {"image": "proxyv2"}}}
        )
        self.assertEqual(
            likely(f"apiVersion: v1\nkind: ConfigMap\ndata:\n  values: |-\n    {values}\n"),
            ["gcr.io/acme/proxyv2:1.2.3"],
        )


class ReportTests(SynchronousTestCase):
    """Tests made from public reports on other programs that list images."""

    def test_flags(self) -> None:
        """Images in options without the word are found (helm-charts 4161 of Prometheus)."""
        arguments = (
            "--kubelet-service=kube-system/kube-prometheus-stack-kubelet",
            "--localhost=127.0.0.1",
            "--prometheus-config-reloader=quay.io/x/prometheus-config-reloader:v0.70.0",
            "--thanos-default-base-image=quay.io/thanos/thanos:v0.33.0",
            "--secret-field-selector=type!=kubernetes.io/dockercfg,type!=helm.sh/release.v1",
            "--web.listen-address=:10250",
        )
        self.assertEqual(
            likely(json.dumps({"args": arguments})),
            ["quay.io/x/prometheus-config-reloader:v0.70.0", "quay.io/thanos/thanos:v0.33.0"],
        )

    def test_values_without_tag(self) -> None:
        """An image that has the version of its chart is a note (helm-images 11)."""
        result = find("acmesolver:\n  image:\n    repository: quay.io/jetstack/acmesolver\n")
        self.assertEqual(result.likely, [])
        self.assertIn("m.yaml:3: the tag of image 'quay.io/jetstack/acmesolver'", result.notes[0])

    def test_values(self) -> None:
        """All images in the values of a chart are found (helm-mirror 24)."""
        values = """\
image: {repository: grafana/grafana, tag: 6.6.2, pullPolicy: IfNotPresent}
testFramework: {image: bats/bats, tag: v1.1.0}
downloadDashboardsImage: {repository: curlimages/curl, tag: 7.68.0}
initChownData: {image: {repository: busybox, tag: "1.31.1"}}
sidecar: {image: "kiwigrid/k8s-sidecar:0.1.20", datasources: {enabled: false}}
"""
        self.assertEqual(
            likely(values),
            [
                "grafana/grafana:6.6.2",
                "bats/bats:v1.1.0",
                "curlimages/curl:7.68.0",
                "library/busybox:1.31.1",
                "kiwigrid/k8s-sidecar:0.1.20",
            ],
        )

    def test_role_names(self) -> None:
        """Names of roles are no images (zarf 4022)."""
        for name in ("system:auth-delegator", "keda:system:auth-delegator", "example.io:view"):
            role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
            self.assertEqual(likely(json.dumps({"roleRef": role})), [])

    def test_chart_annotations(self) -> None:
        """The images that a chart lists in annotations are found (hauler 379)."""
        lines = "- name: nats\n  image: containers/nats:2.12.3\n"
        for key in ("helm.sh/images", "artifacthub.io/images", "images"):
            text = f"annotations:\n  {key}: |\n{indent(lines, '    ')}"
            self.assertEqual(likely(text), ["containers/nats:2.12.3"])


class HostileTests(SynchronousTestCase):
    """Tests for manifests that are made to do harm."""

    def test_nested_texts(self) -> None:
        """Texts within texts are searched to a depth, and not further."""
        text = "image: a/b:1\n"
        for number in range(30):
            text = f"image{number}: |\n{indent(text, '  ')}"
        self.assertEqual(find(text).errors, [])

    def test_long_keys(self) -> None:
        """Paths are short, whatever the keys are."""
        key = "k" * 100_000
        [one] = find(json.dumps({key: {key: [{"image": "a/b:1"}] * 2}})).likely
        self.assertLess(len(one.reason), 1000)

    def test_aliases(self) -> None:
        """Aliases of aliases are searched once for each role."""
        lines = ["a0: &a0 {image: 'a/b:1', args: [--image, 'c/d:1'], values: &v {tag: x}}"]
        lines += [f"a{n}: &a{n} [{f'*a{n - 1},' * 9}{{values: *v}}]" for n in range(1, 60)]
        self.assertEqual(likely("\n".join(lines)), ["a/b:1", "c/d:1"])

    @given(SHAPES)
    def test_any_shape(self, value: object) -> None:
        """Values of any shape are searched without a fault, also nested in texts."""
        text = json.dumps({"hub": "a.b/c", "tag": value, "images": value})
        find(json.dumps({"data": {"image": text, "x": value, "components": value, "base": "a.b"}}))

    @given(st.text(st.sampled_from("ab./:@-=\"'\n {}$#[]|image"), max_size=60))
    def test_any_text(self, text: str) -> None:
        """Any text is searched without a fault, and what is found has the form of an image."""
        for one in find(json.dumps({"someImage": text, "x": text})).likely:
            self.assertTrue(one.image.repository)
