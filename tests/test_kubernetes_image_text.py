"""Tests for ``minreg.k3s.manifests.image_text``: what is an image, and what only resembles one."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.manifests.image_text import names_image, parse_likely, scan_text

ZEROS = "0" * 64


class FieldTests(SynchronousTestCase):
    """Tests for the names of fields."""

    def test_images(self) -> None:
        """Fields that end in the word, or have only a name behind it, are images."""
        for field in (
            "image",
            "images",
            "kubectlImage",
            "RELATED_IMAGE_DB",
            "--agent-image",
            "imageName",
            "queue-sidecar-image",
            "--baseimage",
            "sidecar.istio.io/proxyImage",
            "STRIMZI_KAFKA_IMAGES",
            "DEFAULT_IMAGE_WINDOWS",
        ):
            self.assertTrue(names_image(field), field)

    def test_others(self) -> None:
        """Fields about images, and other fields, are not."""
        for field in (
            "imagePullPolicy",
            "IMAGE_PULL_SECRETS",
            "imageRegistry",
            "--image-repository",
            "IMAGE_TAG",
            "imagine",
            "value",
            "",
            "image.pullPolicy",
            "osImageURL",
        ):
            self.assertFalse(names_image(field), field)


class LikelyTests(SynchronousTestCase):
    """Tests for values."""

    def test_anywhere(self) -> None:
        """These are images in any field."""
        for text in (
            "quay.io/a/b:1.0",
            "quay.io/a/b:1",
            "registry.k8s.io/pause:3.10",
            "k8s.gcr.io/pause:3.1",
            f"a/b@sha256:{ZEROS}",
            f"quay.io/a@sha256:{ZEROS}",
            "localhost:5000/a/b:1",
            "10.0.0.1:5000/a:v1",
            "registry:5000/a/b:v1",
            "rancher/shell:v0.1.24",
            "acme/tool:1.2.3-alpine",
            "acme/tool:latest",
            "quay.io/a/b:main",
        ):
            self.assertIsNotNone(parse_likely(text, "x"), text)

    def test_nowhere(self) -> None:
        """These are images in no field."""
        for text in (
            f"sha256:{ZEROS}",
            "auto",
            "",
            "Always",
            "https://quay.io/a/b:1",
            "image/png",
            "application/json",
            "localhost:5000",
            "registry.example.com:5000",
            "/etc/images/a.conf:1",
            "A/B:1",
            "system:serviceaccount:a:b",
            "arn:aws:iam::1234:role/x",
            "github.com/a/b:v1.0",
            "x" * 600 + "/a:1",
        ):
            self.assertIsNone(parse_likely(text, "someImage"), text)

    def test_only_in_fields(self) -> None:
        """These are images only if their field says so."""
        for text in ("busybox:1.36", "acme/default:1", "a/b:edge-x", "registry/x:80"):
            self.assertIsNone(parse_likely(text, "x"), text)
            self.assertIsNotNone(parse_likely(text, "SOME_IMAGE"), text)

    def test_similar(self) -> None:
        """Labels, API groups, addresses, ports, files and rules have similar forms."""
        for text in (
            "app.kubernetes.io/name:foo1",
            "cert-manager.io/v1",
            "apps/v1",
            "default/example-go:8080",
            "kube-system/kube-dns:53",
            "prometheus-k8s.monitoring.svc:9090",
            "10.42.0.0/16",
            "v1.2.3",
            "12:30",
            "10.0.0.0/8:1",
            "a.yaml/b:1",
            "instance:node_cpu/x:rate5m",
            "quay.io/a/b",
            "example.com/path:view",
        ):
            self.assertIsNone(parse_likely(text, "x"), text)

    def test_without_tag(self) -> None:
        """Only variables, options and ``image`` mean the tag ``latest``."""
        for field in ("image", "SOME_IMAGE", "--some-image"):
            self.assertEqual(str(parse_likely("quay.io/a/b", field)), "quay.io/a/b:latest")
        for field in ("controllerImage", "baseImage", "--default-base-image", "imageName"):
            self.assertIsNone(parse_likely("quay.io/a/b", field), field)


class ScanTests(SynchronousTestCase):
    """Tests for images within texts."""

    def scan(self, text: str, field: str = "x") -> list[str]:
        """Scan a text, and return its images without Docker Hub's host."""
        return [str(one.image).removeprefix("docker.io/") for one in scan_text(text, field)]

    def test_forms(self) -> None:
        """Lists, assignments, options, JSON and sentences."""
        for text, images in {
            "a=quay.io/a/b:1,c=quay.io/c/d:2": ["quay.io/a/b:1", "quay.io/c/d:2"],
            "run --image busybox:1.36 --port 80:80": ["library/busybox:1.36"],
            "run --image=busybox:1.36": ["library/busybox:1.36"],
            'image = "busybox:1.36"': ["library/busybox:1.36"],
            "image: busybox:1.36": ["library/busybox:1.36"],
            '{"image": "quay.io/a/b:1"}': ["quay.io/a/b:1"],
            "pull quay.io/a/b:1.": ["quay.io/a/b:1"],
            "[old=]quay.io/a/b:1": ["quay.io/a/b:1"],
        }.items():
            self.assertEqual(self.scan(text), images, text)

    def test_not_found(self) -> None:
        """URLs, comments, placeholders and selectors name no image."""
        for text in (
            "https://quay.io/a/b:1",
            "# quay.io/a/b:1",
            "$quay.io/a/b:1",
            "${REGISTRY}/a/b:1.0",
            "quay.io/a/b:1{{ .x }}",
            'container!="",image!=""',
            "app.kubernetes.io/name=foo:1",
        ):
            self.assertEqual(self.scan(text), [], text)

    def test_lines(self) -> None:
        """Each image has the number of its line, from 0."""
        lines = [one.line for one in scan_text("\nquay.io/a/b:1\n\nquay.io/a/c:1", "x")]
        self.assertEqual(lines, [1, 3])
