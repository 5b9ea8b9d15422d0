"""The report of a preflight: as text for people, as JSON, and as a list to download."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

import attrs

from minreg.oci.platforms import ALL_PLATFORMS, Platform, name_platform
from minreg.preflight.check import CheckedImage
from minreg.text import count, printable

_MOST_FINDINGS = 2000


@attrs.frozen
class PreflightFinding:
    """Something that a node will fail to pull.

    Attributes:
        image: The image, as ``minreg download`` takes it.
        platform: The platform, or ``all``.
        problem: What is missing or wrong.
        reason: What needs the image.
    """

    image: str
    platform: str
    problem: str
    reason: str

    def __str__(self) -> str:
        return f"{self.platform}: {printable(self.problem)} ({printable(self.reason)})"


@attrs.define
class PreflightFindings:
    """A bounded collection of findings without duplicates.

    When it is full, only the first finding of each further image is added.

    Attributes:
        more: How many findings were not added.
    """

    more: int = 0
    _findings: dict[PreflightFinding, None] = attrs.field(factory=dict)
    _images: set[str] = attrs.field(factory=set)

    def add(self, findings: Iterable[PreflightFinding]) -> None:
        """Add findings."""
        for finding in findings:
            if finding in self._findings:
                continue
            if len(self._findings) >= _MOST_FINDINGS and finding.image in self._images:
                self.more += 1
            else:
                self._findings[finding] = None
                self._images.add(finding.image)

    def __iter__(self) -> Iterator[PreflightFinding]:
        return iter(self._findings)


@attrs.frozen
class PreflightReport:
    """The result of a preflight.

    Attributes:
        images: How many images were checked.
        platforms: The platforms they were checked for.
        findings: What is missing or wrong.
        more: How many more findings there are on the same images.
    """

    images: int
    platforms: tuple[str, ...]
    findings: tuple[PreflightFinding, ...]
    more: int = 0

    @property
    def is_ready(self) -> bool:
        """Whether nothing is missing or wrong."""
        return not self.findings

    @property
    def incomplete_images(self) -> list[str]:
        """The images that have findings, each once, in order."""
        return list(dict.fromkeys(finding.image for finding in self.findings))

    def summary(self) -> str:
        """Return the result as a sentence."""
        platforms = " and ".join(
            "all platforms" if name == ALL_PLATFORMS else name for name in self.platforms
        )
        if self.is_ready:
            return f"{count(self.images, 'image')} checked for {platforms}: all is here"
        incomplete = len(self.incomplete_images)
        return f"{incomplete} of {count(self.images, 'image')} not ready for {platforms}"

    def lines(self) -> Iterator[str]:
        """Yield the images that are not ready, one per line, with their findings as comments.

        ``minreg download -f -`` reads these lines.
        """
        ordered = sorted(self.findings, key=lambda finding: finding.image)
        for image, findings in groupby(ordered, key=lambda finding: finding.image):
            first, *others = findings
            yield f"{image}  # {first}"
            for finding in others:
                yield f"#   {finding}"
        if self.more:
            yield f"# and {count(self.more, 'finding')} more on these images"

    def as_json(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        return {
            "ready": self.is_ready,
            "platforms": list(self.platforms),
            "images": self.images,
            "findings": [attrs.asdict(finding) for finding in self.findings],
            "more": self.more,
        }


def list_findings(checked: CheckedImage, aliases: Mapping[str, str]) -> Iterator[PreflightFinding]:
    """Yield the findings of an image.

    Args:
        checked: The result of checking the image.
        aliases: Names of this registry, each with the upstream host that it stands for.
    """
    image = str(checked.required.upstream(aliases))
    for problem in checked.problems:
        yield PreflightFinding(
            image, name_platform(checked.platform), problem, checked.required.reason
        )


def make_report(
    images: int, platforms: Iterable[Platform | None], findings: PreflightFindings
) -> PreflightReport:
    """Return the report of a preflight.

    Args:
        images: How many images were checked.
        platforms: The platforms they were checked for, None for all.
        findings: What is missing or wrong.
    """
    names = tuple(map(name_platform, platforms))
    return PreflightReport(images, names, tuple(findings), findings.more)
