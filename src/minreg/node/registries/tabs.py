r"""Tabs in YAML, as K3s' library takes them (``scannerc.go`` in gopkg.in/yaml.v2).

A tab separates as a space does wherever something stands before it in its line; none may indent,
and what stands behind ``-`` is indented by what is between them. Our own library takes fewer.
"""

import re

# A quote, or a comment, begins behind these only: elsewhere it is part of a plain text.
_TOKEN = re.compile(
    r"""
    ^[ \t]*(?:[-?][ \t]+)*
    | (?<![^\s\[{,:])"(?:\\.|[^"\\])*"
    | (?<![^\s\[{,:])'(?:''|[^'])*'
    | (?<!\S)\#[^\n]*
    | (?P<tab>\t)
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)


def without_tabs(text: str) -> str:
    """Make spaces of the tabs that separate, so that all stays in its place."""
    return _TOKEN.sub(lambda token: " " if token["tab"] else token[0], text)
