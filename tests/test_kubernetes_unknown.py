"""Tests for what brings images that manifests do not name: charts, sources and kustomizations."""

import io
import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.manifests.found_images import ManifestImages
from minreg.k3s.manifests.image_references import find_images, find_in_paths
from minreg.k3s.manifests.manifest_files import ManifestFile, ManifestsInvalid

POD = "kind: Pod\nspec: {containers: [{image: 'controller:latest'}]}\n"
CHECK = "| minreg preflight --manifests -'"


def find(text: str, name: str = "m.yaml") -> ManifestImages:
    """Find the images that a file names."""
    return find_images([ManifestFile(name, text)])


class NotesTests(SynchronousTestCase):
    """Tests for notes on resources, each with the command that makes its images known."""

    def note(self, version: str, kind: str, spec: str) -> str:
        """Return the only note on a resource."""
        head = f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x, namespace: y}}\n"
        [note] = find(f"{head}spec: {spec}\n").notes
        self.assertIn(f", {kind} y/x: ", note)
        return note

    def test_charts(self) -> None:
        """A chart is rendered with helm."""
        note = self.note(
            "helm.cattle.io/v1", "HelmChart", "{chart: c, repo: 'https://r', version: v1}"
        )
        self.assertIn(f"'helm template x c --repo https://r --version v1 {CHECK}", note)
        spec = "{chart: {spec: {chart: podinfo, version: '6'}}}"
        note = self.note("helm.toolkit.fluxcd.io/v2", "HelmRelease", spec)
        self.assertIn(f"'helm template x podinfo --version 6 {CHECK}", note)
        spec = "{chartRef: {kind: OCIRepository, name: podinfo}}"
        note = self.note("helm.toolkit.fluxcd.io/v2", "HelmRelease", spec)
        self.assertIn("helm template x podinfo", note)

    def test_sources(self) -> None:
        """What a program fetches from elsewhere is fetched with that program."""
        oci = "{url: 'oci://ghcr.io/a/b', ref: {tag: latest}}"
        source = "source.toolkit.fluxcd.io/v1"
        for version, kind, spec, command in (
            ("argoproj.io/v1alpha1", "Application", "{}", f"argocd app manifests x {CHECK}"),
            (source, "OCIRepository", oci, "flux pull artifact oci://ghcr.io/a/b:latest"),
            (source, "GitRepository", "{url: 'https://x'}", "--manifests DIR"),
            ("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "{path: ./p}", "--path ./p"),
            ("fleet.cattle.io/v1alpha1", "GitRepo", "{repo: 'https://x'}", "helm template"),
            ("operators.coreos.com/v1alpha1", "Subscription", "{}", "bundle"),
            ("operator.tigera.io/v1", "Installation", "{}", "'--print-images=list'"),
            ("kibana.k8s.elastic.co/v1", "Kibana", "{version: 9.5.1}", "version '9.5.1'"),
        ):
            self.assertIn(command, self.note(version, kind, spec))

    def test_own_image(self) -> None:
        """A resource of Elastic's operator that names its image needs no note."""
        spec = "{version: 9.5.1, image: docker.example/a/b:1}"
        result = find(f"apiVersion: kibana.k8s.elastic.co/v1\nkind: Kibana\nspec: {spec}\n")
        self.assertEqual((result.notes, len(result.likely)), ([], 1))

    def test_values(self) -> None:
        """The values that a resource has for a chart are likely images."""
        values = "{image: {repository: ghcr.io/acme/a, tag: '6.1'}}"
        assignments = "[{name: image.repository, value: acme/a}, {name: image.tag, value: '1'}]"
        for version, kind, spec, image in (
            ("helm.toolkit.fluxcd.io/v2", "HelmRelease", f"{{values: {values}}}", "6.1"),
            (
                "argoproj.io/v1alpha1",
                "Application",
                f"{{source: {{helm: {{valuesObject: {values}}}}}}}",
                "6.1",
            ),
            (
                "argoproj.io/v1alpha1",
                "Application",
                f"{{source: {{helm: {{parameters: {assignments}}}}}}}",
                "1",
            ),
        ):
            [one] = find(f"apiVersion: {version}\nkind: {kind}\nspec: {spec}\n").likely
            self.assertEqual(one.image.tag, image)

    def test_shell(self) -> None:
        """Names in commands are quoted."""
        head = "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
        [note] = find(head + "metadata: {name: '$(reboot)'}\n").notes
        self.assertIn("argocd app manifests '$(reboot)'", note)


class DirectoryTestCase(SynchronousTestCase):
    """A directory with files."""

    def setUp(self) -> None:
        """Make the directory."""
        self.directory = os.path.abspath(self.mktemp())

    def write(self, name: str, content: str) -> None:
        """Write a file."""
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)

    def find(self, name: str = "") -> ManifestImages:
        """Find the images that the directory, or a file in it, names."""
        return find_in_paths([os.path.join(self.directory, name).rstrip("/")], io.BytesIO())


class KustomizationTests(DirectoryTestCase):
    """Tests for kustomizations."""

    def test_renames(self) -> None:
        """Images are listed under the names that the kustomization gives them."""
        self.write("d.yaml", POD)
        for entry, image in (
            ("{name: controller, newName: quay.io/a/b, newTag: v2}", "quay.io/a/b:v2"),
            ("{name: controller, newTag: v3}", "docker.io/library/controller:v3"),
            ("{name: controller, newName: quay.io/a/b}", "quay.io/a/b:latest"),
            (
                f"{{name: controller, digest: 'sha256:{'0' * 64}'}}",
                f"docker.io/library/controller@sha256:{'0' * 64}",
            ),
        ):
            self.write("kustomization.yaml", f"resources: [d.yaml]\nimages: [{entry}]\n")
            result = self.find()
            self.assertEqual([str(one.image) for one in (*result.images, *result.likely)], [image])
            self.assertIn("the kustomization renames images: render it", result.notes[0])
            self.assertIn(f"kubectl kustomize {self.directory} {CHECK}", result.notes[0])

    def test_others(self) -> None:
        """A rename applies to one image, and only below the kustomization."""
        entry = "{name: controller, newName: quay.io/a/b, newTag: v2}"
        self.write("overlay/kustomization.yaml", f"images: [{entry}]\n")
        self.write("overlay/other.yaml", POD.replace("controller", "other"))
        self.write("base/d.yaml", POD)
        result = self.find()
        self.assertEqual(
            [one.image.repository for one in result.images],
            ["library/controller", "library/other"],
        )
        self.assertEqual([str(one.image) for one in result.likely], ["quay.io/a/b:v2"])

    def test_wrong_entries(self) -> None:
        """Entries that are invalid change nothing."""
        for entry in ("x", "{name: A, newTag: v2}", "{newName: a}", "{name: a, digest: x}"):
            self.write("kustomization.yaml", f"images: [{entry}]\n")
            self.assertEqual(self.find().likely, [])
        self.write("kustomization.yaml", "images: {a: b}\n")
        self.assertEqual(self.find().likely, [])

    def test_remote_parts(self) -> None:
        """Charts and remote resources are named in the note; a list of files needs none."""
        head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        for text, expected in {
            "resources: [d.yaml]\n": "",
            "resources: ['https://github.com/acme/x?ref=v1']\n": "has remote resources",
            "helmCharts: [{name: redis, repo: https://r, version: '1'}]\n": "--enable-helm",
            "transformers: [t.yaml]\n": "changes resources",
        }.items():
            self.write("kustomization.yaml", head + text)
            notes = self.find().notes
            self.assertEqual(len(notes), 1 if expected else 0)
            self.assertIn(expected, "".join(notes))


class ChartDirectoryTests(DirectoryTestCase):
    """Tests for directories with Helm charts."""

    def setUp(self) -> None:
        """Write a chart."""
        super().setUp()
        self.write("chart/Chart.yaml", "apiVersion: v2\nname: x\nversion: 1.0.0\n")
        self.write("chart/values.yaml", "image:\n  repository: acme/app\n  tag: '1'\n")
        self.write("chart/values.schema.json", '{"default": "quay.io/acme/schema:1"}')
        self.write("chart/templates/d.yaml", "{{- range .x }}\nimage: a\n{{- end }}\n")
        self.write("chart/charts/sub/Chart.yaml", "name: y\n")
        self.write("chart/charts/sub/templates/d.yaml", "{{ x }}: {{\n")

    def test_chart(self) -> None:
        """Templates are not read, which is a note with the command; values are."""
        result = self.find()
        chart = os.path.join(self.directory, "chart")
        [note] = result.notes
        self.assertEqual(
            note,
            f"{chart}/Chart.yaml: this is a Helm chart, and its templates are not read: check "
            f"what they become with 'helm template {chart} {CHECK}",
        )
        [one] = result.likely
        self.assertEqual(str(one.image), "docker.io/acme/app:1")

    def test_template(self) -> None:
        """A template that is named itself is not YAML: the message says why, and what to do."""
        error = self.assertRaises(ManifestsInvalid, self.find, "chart/templates/d.yaml")
        self.assertIn("this may be a Helm template: render it with 'helm template", str(error))

    def test_notes_and_errors(self) -> None:
        """Errors in one file do not drop the notes on others."""
        self.write("wrong.yaml", "image: [\n")
        error = self.assertRaises(ManifestsInvalid, self.find)
        self.assertEqual(len(error.notes), 1)
