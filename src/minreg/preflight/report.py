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
        likely: Whether nodes may not pull the image: only its form shows that it is one.
    """

    image: str
    platform: str
    problem: str
    reason: str
    likely: bool = False

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
        ignores_likely: Whether findings on likely images do not count.
    """

    images: int
    platforms: tuple[str, ...]
    findings: tuple[PreflightFinding, ...]
    more: int = 0
    ignores_likely: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether nothing is missing or wrong, except what is ignored."""
        return all(finding.likely and self.ignores_likely for finding in self.findings)

    @property
    def incomplete_images(self) -> list[str]:
        """The images that have findings, each once, in order."""
        return list(dict.fromkeys(finding.image for finding in self.findings))

    @property
    def likely_images(self) -> list[str]:
        """The likely images that have findings, each once, in order."""
        return list(dict.fromkeys(one.image for one in self.findings if one.likely))

    def summary(self) -> str:
        """Return the result as a sentence."""
        platforms = " and ".join(
            "all platforms" if name == ALL_PLATFORMS else name for name in self.platforms
        )
        likely = len(self.likely_images)
        if not self.findings:
            return f"{count(self.images, 'image')} checked for {platforms}: all is here"
        if self.is_ready:
            return (
                f"{count(self.images, 'image')} checked for {platforms}: all is here but "
                f"{count(likely, 'likely image')}, which --ignore-likely ignores"
            )
        incomplete = len(self.incomplete_images)
        of_them = f", {likely} of them only likely" if likely else ""
        return f"{incomplete} of {count(self.images, 'image')} not ready for {platforms}{of_them}"

    def lines(self) -> Iterator[str]:
        """Yield the images that are not ready, one per line, with their findings as comments.

        Likely images follow, behind a comment. Those that are ignored are comments themselves.
        ``minreg download -f -`` reads these lines.
        """
        yield from _list_images(finding for finding in self.findings if not finding.likely)
        likely = [finding for finding in self.findings if finding.likely]
        if likely:
            yield "# likely, because of its form or its field; nodes may not pull it:"
            for line in _list_images(likely):
                yield f"# {line.removeprefix('# ')}" if self.ignores_likely else line
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


def _list_images(findings: Iterable[PreflightFinding]) -> Iterator[str]:
    ordered = sorted(findings, key=lambda finding: finding.image)
    for image, of_image in groupby(ordered, key=lambda finding: finding.image):
        first, *others = of_image
        yield f"{image}  # {first}"
        for finding in others:
            yield f"#   {finding}"


def list_findings(checked: CheckedImage, aliases: Mapping[str, str]) -> Iterator[PreflightFinding]:
    """Yield the findings of an image.

    Args:
        checked: The result of checking the image.
        aliases: Names of this registry, each with the upstream host that it stands for.
    """
    image = str(checked.required.upstream(aliases))
    for problem in checked.problems:
        yield PreflightFinding(
            image,
            name_platform(checked.platform),
            problem,
            checked.required.reason,
            checked.required.is_likely,
        )


def make_report(
    images: int,
    platforms: Iterable[Platform | None],
    findings: PreflightFindings,
    *,
    ignores_likely: bool = False,
) -> PreflightReport:
    """Return the report of a preflight.

    Args:
        images: How many images were checked.
        platforms: The platforms they were checked for, None for all.
        findings: What is missing or wrong.
        ignores_likely: Whether findings on likely images do not count.
    """
    names = tuple(map(name_platform, platforms))
    return PreflightReport(images, names, tuple(findings), findings.more, ignores_likely)
