"""Tests for ``minreg.preflight.report``."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.oci.names import parse_references
from minreg.oci.platforms import Platform
from minreg.preflight.check import CheckedImage
from minreg.preflight.report import PreflightFindings, PreflightReport, list_findings, make_report
from tests.preflight_support import AMD64, ARM64, required
from tests.support import ALIASES


def report(
    *checked: CheckedImage, platforms: tuple[Platform | None, ...] = (AMD64,)
) -> PreflightReport:
    """Make a report of some images."""
    findings = PreflightFindings()
    for one in checked:
        findings.add(list_findings(one, ALIASES))
    return make_report(len(checked), platforms, findings)


def checked(image: str, *problems: str, platform: Platform | None = AMD64) -> CheckedImage:
    """Make what came of an image."""
    return CheckedImage(required(image), platform, None, problems)


class ReportTests(SynchronousTestCase):
    """Tests for ``Report``."""

    def test_ready(self) -> None:
        """Where nothing is wrong, there is no line."""
        complete = report(checked("a:1"), checked("b:1"))
        self.assertTrue(complete.is_ready)
        self.assertEqual(list(complete.lines()), [])
        self.assertEqual(complete.summary(), "2 images checked for linux/amd64: all is here")

    def test_lines(self) -> None:
        """Each image is a line, with what is wrong behind it and below it."""
        lacking = report(
            checked("b:1", "layer x is missing", "layer y is missing"),
            checked("a:1", "it is gone"),
            checked("c:1"),
        )
        self.assertEqual(
            list(lacking.lines()),
            [
                "docker.io/library/a:1  # linux/amd64: it is gone (a test)",
                "docker.io/library/b:1  # linux/amd64: layer x is missing (a test)",
                "#   linux/amd64: layer y is missing (a test)",
            ],
        )
        self.assertEqual(lacking.summary(), "2 of 3 images not ready for linux/amd64")

    def test_list(self) -> None:
        """A download reads the list, whatever a problem's text has in it."""
        lacking = report(checked("a:1", "x\ny # z\x1b[2J\u2028\udcff"), checked("b:1", "x"))
        lines = list(lacking.lines())
        self.assertTrue(all(line.isprintable() for line in lines))
        images = [str(image) for image in parse_references(lines, "-")]
        self.assertEqual(images, ["docker.io/library/a:1", "docker.io/library/b:1"])

    def test_platforms(self) -> None:
        """A problem for several platforms is reported for each."""
        platforms = (AMD64, ARM64, None)
        lacking = report(
            *(checked("a:1", "x", platform=platform) for platform in platforms),
            platforms=platforms,
        )
        self.assertEqual(lacking.platforms, ("linux/amd64", "linux/arm64", "all"))
        self.assertEqual([one.platform for one in lacking.findings], list(lacking.platforms))
        self.assertIn("for linux/amd64 and linux/arm64 and all platforms", lacking.summary())

    def test_much(self) -> None:
        """Of very many findings, the rest is a number, and no image is left out."""
        many = [f"layer {number} is missing" for number in range(2500)]
        lacking = report(checked("a:1", *many), checked("b:1", *many), checked("c:1"))
        self.assertEqual((len(lacking.findings), lacking.more), (2001, 2999))
        self.assertEqual(lacking.as_json()["more"], 2999)
        *lines, last = lacking.lines()
        self.assertEqual(last, "# and 2999 findings more on these images")
        self.assertEqual(len(parse_references([*lines, last], "-")), 2)
        self.assertEqual(lacking.summary(), "2 of 3 images not ready for linux/amd64")

    def test_repeated(self) -> None:
        """A finding that is added twice is reported once, and not counted as left out."""
        many = [f"layer {number} is missing" for number in range(2000)]
        lacking = report(checked("a:1", *many), checked("a:1", *many))
        self.assertEqual((len(lacking.findings), lacking.more), (2000, 0))

    def test_alias(self) -> None:
        """An image of an alias is named as it can be downloaded."""
        for asked, known in {
            "bootstrap-registry.airgap/rancher/a:1": "docker.io/rancher/a:1",
            "bootstrap-registry.airgap/a:1": "docker.io/library/a:1",
            "bootstrap-registry.airgap/quay.io/a:1": "quay.io/a:1",
            "quay.io/a:1": "quay.io/a:1",
        }.items():
            self.assertEqual(report(checked(asked, "x")).incomplete_images, [known])

    def test_json(self) -> None:
        """Programs get all of it."""
        self.assertEqual(
            report(checked("a:1", "it is gone")).as_json(),
            {
                "ready": False,
                "platforms": ["linux/amd64"],
                "images": 1,
                "findings": [
                    {
                        "image": "docker.io/library/a:1",
                        "platform": "linux/amd64",
                        "problem": "it is gone",
                        "reason": "a test",
                        "likely": False,
                    }
                ],
                "more": 0,
            },
        )
