"""Tests for what HelmCharts and upgrade plans name literally."""

import json
from textwrap import indent

from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.manifests.found_images import ManifestImages
from minreg.k3s.manifests.image_references import find_images
from minreg.k3s.manifests.manifest_files import ManifestFile

HEAD = "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: {name: x}\nspec:\n"
OWN = "the images in the chart itself are not known"


def find(spec: str, head: str = HEAD) -> ManifestImages:
    """Find the images of a resource."""
    return find_images([ManifestFile("a.yaml", head + indent(spec, "  "))])


def names(spec: str, head: str = HEAD) -> list[str]:
    """Name the images of a resource."""
    return [str(one.image) for one in find(spec, head).images]


class ChartTests(SynchronousTestCase):
    """Tests for HelmChart and HelmChartConfig."""

    def test_traefik(self) -> None:
        """What K3s itself has for traefik names its image in parts."""
        spec = (
            "chart: https://%{KUBERNETES_API}%/static/charts/traefik.tgz\n"
            "set:\n  global.systemDefaultRegistry: ''\n"
            "valuesContent: |-\n"
            "  image:\n    repository: rancher/mirrored-library-traefik\n    tag: 3.3.6\n"
            "  tolerations: [{key: CriticalAddonsOnly}]\n"
        )
        result = find(spec)
        [one] = result.images
        self.assertEqual(str(one.image), "docker.io/rancher/mirrored-library-traefik:3.3.6")
        self.assertEqual(one.reason, "a.yaml:10, HelmChart x")
        [note] = result.notes
        self.assertEqual(note.partition(f": {OWN}")[0], "a.yaml:5, HelmChart x")

    def test_chart_alone(self) -> None:
        """A chart of which nothing else is said is remarked upon, too."""
        for spec in ("chart: a\nrepo: https://x", "chartContent: YQ=="):
            [note] = find(spec).notes
            self.assertIn(OWN, note)

    def test_escaped(self) -> None:
        """A key may be written as numbers of its letters."""
        pod = 'kind: Pod\nspec:\n  containers: [{"im\\u0061ge": a/b:1}]\n'
        [one] = find_images([ManifestFile("a.yaml", pod)]).images
        self.assertEqual(str(one.image), "docker.io/a/b:1")

    def test_job_image(self) -> None:
        """The image of the job that installs a chart can be named."""
        self.assertEqual(names("jobImage: a/b:1"), ["docker.io/a/b:1"])

    def test_forms(self) -> None:
        """Values have three forms, and images in them several."""
        digest = f"sha256:{'0' * 64}"
        for values, image in {
            "image: quay.io/a/b:1.10": "quay.io/a/b:1.10",
            f"image: a/b@{digest}": f"docker.io/a/b@{digest}",
            "{image: a/b, tag: 1.10}": "docker.io/a/b:1.10",
            "image: {repository: a/b, tag: 1.10}": "docker.io/a/b:1.10",
            "image: {name: a/b, tag: v2}": "docker.io/a/b:v2",
            "image: {registry: quay.io, repository: a/b, tag: v2}": "quay.io/a/b:v2",
            "image: {registry: quay.io, image: a/b, tag: v2}": "quay.io/a/b:v2",
            "image: {repository: 'quay.io/a/b:5'}": "quay.io/a/b:5",
            "image: {name: 'quay.io/a/b:5'}": "quay.io/a/b:5",
            f"image: {{repository: a/b, digest: '{digest}'}}": f"docker.io/a/b@{digest}",
            "deep: {x: [{controller: {repository: a/b, tag: v2}}], image: {}}": "docker.io/a/b:v2",
        }.items():
            self.assertEqual(names(f"valuesContent: |\n{indent(values, '  ')}\n"), [image], values)
            self.assertEqual(names(f"values:\n{indent(values, '  ')}\n"), [image], values)

    def test_set(self) -> None:
        """What is set by paths is put together."""
        spec = "set:\n  image.repository: a/b\n  image.tag: v2\n  x.image: c:1\n"
        self.assertEqual(names(spec), ["docker.io/a/b:v2", "docker.io/library/c:1"])
        self.assertEqual(names(f"{spec}  x: ''\n"), ["docker.io/a/b:v2"])
        self.assertEqual(names("set:\n  x: ''\n  x.image: c:1\n"), [])

    def test_endless_set(self) -> None:
        """Keys of ``set`` with more than 10000 parts in all are an error."""
        for paths, is_fine in (
            (["a." * 10_001], False),
            ([f"k{number}{'.a' * 60}" for number in range(170)], False),
            ([f"k{number}{'.a' * 60}" for number in range(160)], True),
        ):
            spec = {"set": {"image": "b:1", **dict.fromkeys(paths, "x")}}
            head = {"apiVersion": "helm.cattle.io/v1", "kind": "HelmChart"}
            result = find_images([ManifestFile("a.json", json.dumps({**head, "spec": spec}))])
            complaint = "a.json: the keys in its set have more than 10000 parts"
            self.assertEqual(result.errors, [] if is_fine else [complaint])
            self.assertEqual(len(result.images), is_fine)

    def test_shared(self) -> None:
        """What many charts share is searched once, and in each form that it has."""
        chart = "{apiVersion: helm.cattle.io/v1, kind: HelmChart, spec: {FORM: *v}}"
        for form, values in {
            "values": "{image: 'a:1'}",
            "set": "{image: 'a:1'}",
            "valuesContent": "'image: a:1'",
        }.items():
            text = f"v: &v {values}\nc:\n" + f"- {chart.replace('FORM', form)}\n" * 50
            self.assertEqual(len(find_images([ManifestFile("a", text)]).images), 1, form)
        charts = "".join(f"- {chart.replace('FORM', form)}\n" for form in ("values", "set"))
        result = find_images(
            [ManifestFile("a", f"v: &v {{image: 'a:1', x.image: 'b:1'}}\nc:\n{charts}")]
        )
        self.assertEqual(
            [one.image.repository for one in result.images],
            ["library/a", "library/b"],
        )
        self.assertEqual(
            names("values: {x: &v {name: a, tag: '1'}, image: *v}"), ["docker.io/library/a:1"]
        )

    def test_partly(self) -> None:
        """Where a part is the chart's, that is remarked upon."""
        for values in (
            "image: a/b",
            "image: {repository: a/b}",
            "image: {repository: a/b, tag: ''}",
        ):
            result = find(f"values:\n  {values}\n")
            self.assertEqual(result.images, [])
            [note] = result.notes
            self.assertIn("the tag of image 'a/b' is in the chart", note)

    def test_no_image(self) -> None:
        """What is no image is none: a repository of charts, or a tag alone."""
        for values in (
            "repository: https://a/b\n  tag: v1",
            "image: {tag: v1}",
            "image: {}",
            "a: b",
        ):
            result = find(f"values:\n  {values}\n")
            self.assertEqual((result.images, result.notes, result.errors), ([], [], []), values)

    def test_config(self) -> None:
        """A HelmChartConfig has no chart of its own, and values like one."""
        head = HEAD.replace("HelmChart", "HelmChartConfig")
        result = find("valuesContent: |-\n  image: a/b:1\n", head)
        self.assertEqual((len(result.images), result.notes), (1, []))

    def test_broken_values(self) -> None:
        """Values that are no YAML are complained of, with the line in the file."""
        result = find("valuesContent: |-\n  image: a/b:1\n  image: {{ x }}: y: z\n")
        self.assertRegex(result.errors[0], r"^a\.yaml:7: ")

    def test_json(self) -> None:
        """In JSON, lines are those of the values."""
        text = (
            '{"apiVersion": "helm.cattle.io/v1", "kind": "HelmChart", "metadata": {"name": "x"},'
        )
        text += ' "spec": {"valuesContent": "a: b\\nimage: c:1\\n", "values": {"image": '
        text += '{"repository": "d", "tag": 1.5}}}}'
        result = find_images([ManifestFile("a.json", text)])
        self.assertEqual(
            [one.reason for one in result.images],
            ["a.json, valuesContent:2, HelmChart x", "a.json, HelmChart x"],
        )
        self.assertEqual(str(result.images[1].image), "docker.io/library/d:1.5")

    def test_no_spec(self) -> None:
        """A chart of no shape at all has no images."""
        for spec in ("- image", "set: image\nvaluesContent: [image]\njobImage: {}\nvalues: image"):
            self.assertEqual(names(spec), [])


class PlanTests(SynchronousTestCase):
    """Tests for plans of the system-upgrade-controller."""

    head = HEAD.replace("helm.cattle.io", "upgrade.cattle.io").replace("HelmChart", "Plan")

    def test_version(self) -> None:
        """An image without a tag has the plan's version for one."""
        spec = (
            "version: v1.33.4+k3s1\nprepare: {image: 'a:1'}\nupgrade: {image: rancher/k3s-upgrade}"
        )
        self.assertEqual(
            names(spec, self.head),
            ["docker.io/library/a:1", "docker.io/rancher/k3s-upgrade:v1.33.4-k3s1"],
        )

    def test_channel(self) -> None:
        """Which version a channel names is not known, unless the controller has result out."""
        spec = "channel: https://update.k3s.io/x\nupgrade: {image: rancher/k3s-upgrade}\n"
        result = find(spec, self.head)
        self.assertEqual(result.images, [])
        self.assertIn("comes from a channel: it is not known", result.notes[0])
        plan = f"{self.head}{indent(spec, '  ')}status: {{latestVersion: v1.0.0-k3s1}}\n"
        [one] = find_images([ManifestFile("a", plan)]).images
        self.assertEqual(str(one.image), "docker.io/rancher/k3s-upgrade:v1.0.0-k3s1")

    def test_no_shape(self) -> None:
        """A plan of no shape has no images."""
        for spec in ("- image", "upgrade: image", "upgrade: {image: {}}", "prepare: {image: }"):
            self.assertEqual(names(spec, self.head), [])
