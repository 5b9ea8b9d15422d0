"""What several commands read from their command lines."""

from collections.abc import Sequence

import click

from minreg.commands.reports import WrongUsage
from minreg.oci.names import ImageReference, ReferencesInvalid, parse_references
from minreg.oci.platforms import Platform

ALL_PLATFORMS = "all"

directory_option = click.option(
    "-d",
    "--directory",
    default="./registry",
    show_default=True,
    type=click.Path(exists=True, file_okay=False),
    help="The root of the tree.",
)

links_option = click.option(
    "--allow-links-to",
    multiple=True,
    type=click.Path(exists=True, file_okay=False),
    help="A directory outside of the tree that its links may lead to, as for serving. Repeatable.",
)


def parse_platforms(texts: Sequence[str]) -> tuple[Platform, ...]:
    """Read platforms; none stands for all of them.

    Raises:
        WrongUsage: One is none.
    """
    if ALL_PLATFORMS in texts:
        return ()
    try:
        return tuple(Platform.parse(text) for text in texts)
    except ValueError as error:
        raise WrongUsage(str(error)) from None


def parse_arguments(texts: Sequence[str]) -> list[ImageReference]:
    """Read images that the command line names.

    Raises:
        WrongUsage: One is none.
    """
    try:
        return parse_references(texts, "IMAGE")
    except ReferencesInvalid as error:
        raise WrongUsage(str(error)) from None


def read_list(path: str) -> list[ImageReference]:
    """Read a list of images from a file, or from the standard input (``-``).

    Raises:
        WrongUsage: A line names none; the text says which.
    """
    try:
        with click.open_file(path, encoding="utf-8", errors="replace") as lines:
            return parse_references(lines, path)
    except ReferencesInvalid as error:
        raise WrongUsage(str(error)) from None
