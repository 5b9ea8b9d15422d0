"""Where things lie in a registry tree.

Every blob lies once in ``<root>/blobs``; each level of a repository's path has a link
``blobs -> ../blobs``, so that ``<repository>/blobs`` leads there too. Manifests and tags
lie in ``<repository>/manifests``. What is nobody's content lies in ``<root>/.minreg``,
which can be neither a repository nor a tag.
"""

from minreg.oci.names import NameInvalid, is_host, is_repository, parse_host

PRIVATE = ".minreg"
BLOBS = "blobs"
MANIFESTS = "manifests"


def parse_place(text: str) -> str:
    """Check where a repository is to lie: its name, below its host or without it.

    Raises:
        NameInvalid: It is no such name, or one that a tree has no room for.
    """
    first, _, rest = text.partition("/")
    name = text
    if rest and is_host(first) and parse_host(first) == first:
        name = rest
    if not is_repository(name):
        raise NameInvalid(f"{text[:160]!r} is no repository's name")
    if {BLOBS, MANIFESTS} & set(text.split("/")):
        raise NameInvalid(
            f"{text!r} has a part called {BLOBS!r} or {MANIFESTS!r}: "
            "in a registry tree these hold content, and cannot be part of a name"
        )
    return text


def levels(place: str) -> list[str]:
    """Name the directories that lead to a repository, the topmost first, itself last."""
    parts = place.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
