"""What a preflight found, for people, for programs, and for the next download."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

import attrs

from minreg.oci.manifests import Platform
from minreg.preflight.check import Checked
from minreg.preflight.platforms import ALL_PLATFORMS, name_platform
from minreg.text import count, printable

_MOST_FINDINGS = 2000


@attrs.frozen
class PreflightFinding:
    """Something that a node will not get: of which image, for which platform, and why.

    ``image`` is named as ``minreg download`` takes it, ``reason`` says who wants it.
    """

    image: str
    platform: str
    problem: str
    reason: str

    def __str__(self) -> str:
        return f"{self.platform}: {printable(self.problem)} ({printable(self.reason)})"


@attrs.define
class PreflightFindings:
    """Collects findings, none twice; of very many, at least one for each image.

    ``more`` is how many are not kept.
    """

    more: int = 0
    _kept: dict[PreflightFinding, None] = attrs.field(factory=dict)
    _images: set[str] = attrs.field(factory=set)

    def add(self, findings: Iterable[PreflightFinding]) -> None:
        """Add what was found wrong."""
        for finding in findings:
            if finding in self._kept:
                continue
            if len(self._kept) >= _MOST_FINDINGS and finding.image in self._images:
                self.more += 1
            else:
                self._kept[finding] = None
                self._images.add(finding.image)

    def __iter__(self) -> Iterator[PreflightFinding]:
        return iter(self._kept)


@attrs.frozen
class PreflightReport:
    """What came of a preflight: of how many images, for which platforms.

    ``more`` is how many findings there were besides, on the same images.
    """

    images: int
    platforms: tuple[str, ...]
    findings: tuple[PreflightFinding, ...]
    more: int = 0

    @property
    def is_ready(self) -> bool:
        """Whether all is there."""
        return not self.findings

    @property
    def lacking(self) -> list[str]:
        """The images that are not ready, each once, in order."""
        return list(dict.fromkeys(finding.image for finding in self.findings))

    def summary(self) -> str:
        """Say it in a sentence."""
        platforms = " and ".join(
            "all platforms" if name == ALL_PLATFORMS else name for name in self.platforms
        )
        if self.is_ready:
            return f"{count(self.images, 'image')} checked for {platforms}: all is here"
        return f"{len(self.lacking)} of {count(self.images, 'image')} not ready for {platforms}"

    def lines(self) -> Iterator[str]:
        """Write the images that are not ready, one a line, with what is wrong as comments.

        ``minreg download -f -`` reads this.
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
        """Write it for programs."""
        return {
            "ready": self.is_ready,
            "platforms": list(self.platforms),
            "images": self.images,
            "findings": [attrs.asdict(finding) for finding in self.findings],
            "more": self.more,
        }


def find_in(checked: Checked, aliases: Mapping[str, str]) -> Iterator[PreflightFinding]:
    """Name what was found wrong with an image.

    Args:
        checked: What came of the image.
        aliases: Names of this registry, each with the host that is meant by it.
    """
    image = str(checked.wanted.upstream(aliases))
    for problem in checked.problems:
        yield PreflightFinding(
            image, name_platform(checked.platform), problem, checked.wanted.reason
        )


def make_report(
    images: int, platforms: Iterable[Platform | None], findings: PreflightFindings
) -> PreflightReport:
    """Put together what was found.

    Args:
        images: How many were looked at.
        platforms: For which; None stands for all.
        findings: What is wrong with them.
    """
    names = tuple(map(name_platform, platforms))
    return PreflightReport(images, names, tuple(findings), findings.more)
