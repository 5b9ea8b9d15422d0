"""``minreg verify``: whether a tree is complete and undamaged."""

import sys

import click

from minreg.commands.arguments import check_links, parse_platforms
from minreg.commands.reports import hashing_bar, reported_failures
from minreg.commands.terminal import Look, echo, paint
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
    """Verify, and exit with the status that tells the outcome."""
    wanted = parse_platforms(platforms) if platforms else None
    root = find_tree(directory)
    with reported_failures():
        verification = Verification(root, wanted, check_links(allow_links_to))
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
        echo(paint(f"not looked at: {reason}", Look.WARNING))
    is_good = not report.incomplete and not report.unread
    echo(paint(_summarize(report), Look.GOOD if is_good else Look.ERROR, bold=True))
    if not is_good:
        sys.exit(1)


def _run_with_bar(verification: Verification) -> VerifyReport:
    """Hash all files, with a bar on a terminal."""
    with hashing_bar(verification.total_bytes) as advanced:
        return verification.run(advanced)


def _describe(finding: VerifiedImage) -> list[str]:
    image = finding.image
    if finding.problems:
        broken = paint("BROKEN", Look.ERROR, bold=True)
        name = printable(str(image))
        return [f"{name}: {broken}: {printable(problem)}" for problem in finding.problems]
    here = ", ".join(map(str, image.present))
    if finding.lacking:
        lacking = ", ".join(map(str, finding.lacking))
        return [printable(f"{image}: lacks {lacking}{f' (has {here})' if here else ''}")]
    absent = ", ".join(map(str, image.absent))
    platforms = f" for {here}" if here else ""
    return [printable(f"{image}: complete{platforms}{f' (not here: {absent})' if absent else ''}")]


def _summarize(report: VerifyReport) -> str:
    complete = len(report.findings) - len(report.incomplete)
    hashed = ""
    if report.checked_files:
        size = format_size(report.checked_bytes)
        hashed = f"; hashed {count(report.checked_files, 'blob')} ({size})"
    orphans = ""
    if report.orphans:
        size = format_size(report.orphan_bytes)
        orphans = f"; {count(report.orphans, 'blob')} ({size}) of no image: minreg prune"
    return f"{complete} of {count(len(report.findings), 'image')} complete{hashed}{orphans}"
