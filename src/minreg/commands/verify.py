"""``minreg verify``: checks that a tree is complete, and hashes its content."""

import sys

import click

from minreg.commands.arguments import check_links, parse_platforms
from minreg.commands.reports import hashing_bar, reported_failures
from minreg.commands.terminal import Style, colorize, echo
from minreg.commands.trees import find_tree
from minreg.fill.verify import Verification, VerifiedImage, VerifyReport
from minreg.text import count, format_size, printable


def run(
    *,
    directory: str | None,
    quick: bool,
    platforms: tuple[str, ...],
    allow_links_to: tuple[str, ...],
) -> None:
    """Verify each image, and print the results.

    Raises:
        ClickException: The tree has no image.
        SystemExit: An image is incomplete, or a part of the tree cannot be read.
    """
    required = parse_platforms(platforms) if platforms else None
    root = find_tree(directory)
    with reported_failures():
        verification = Verification(root, required, check_links(allow_links_to))
        report = verification.run_quickly() if quick else _run_with_bar(verification)
    if not report.findings and not report.unread:
        raise click.ClickException(
            f"there is no image in {root}: name the right directory with -d, or fill it with "
            "minreg download or minreg import"
        )
    for finding in report.findings:
        for line in _describe(finding):
            echo(line)
    for reason in report.unread:
        echo(colorize(f"not checked: {reason}", Style.WARNING))
    is_complete = not report.incomplete and not report.unread
    echo(colorize(_summarize(report), Style.SUCCESS if is_complete else Style.ERROR, bold=True))
    if not is_complete:
        sys.exit(1)


def _run_with_bar(verification: Verification) -> VerifyReport:
    """Hash all content, with a progress bar on a terminal."""
    with hashing_bar(verification.total_bytes) as advanced:
        return verification.run(advanced)


def _describe(finding: VerifiedImage) -> list[str]:
    image = finding.image
    if finding.problems:
        broken = colorize("BROKEN", Style.ERROR, bold=True)
        name = printable(str(image))
        return [f"{name}: {broken}: {printable(problem)}" for problem in finding.problems]
    present = ", ".join(map(str, image.present))
    if finding.lacking:
        lacking = ", ".join(map(str, finding.lacking))
        return [printable(f"{image}: missing {lacking}{f' (has {present})' if present else ''}")]
    absent = ", ".join(map(str, image.absent))
    platforms = f" for {present}" if present else ""
    return [printable(f"{image}: complete{platforms}{f' (absent: {absent})' if absent else ''}")]


def _summarize(report: VerifyReport) -> str:
    complete = len(report.findings) - len(report.incomplete)
    hashed = ""
    if report.checked_files:
        size = format_size(report.checked_bytes)
        hashed = f"; hashed {count(report.checked_files, 'blob')} ({size})"
    orphans = ""
    if report.orphans:
        size = format_size(report.orphan_bytes)
        orphans = f"; {count(report.orphans, 'blob')} ({size}) not part of any image: minreg prune"
    return f"{complete} of {count(len(report.findings), 'image')} complete{hashed}{orphans}"
