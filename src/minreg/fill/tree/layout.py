"""The layout of a registry tree.

Every blob is stored once, in ``<root>/blobs``. Each level of a repository's path has a link
``blobs -> ../blobs``, so that ``<repository>/blobs`` leads there too. Manifests and tags are in
``<repository>/manifests``. The manifests of platforms whose layers are not stored are in
``<repository>/.metadata``. Data that is not content is in ``<root>/.minreg``, which is no valid
name of a repository or tag.
"""

from minreg.oci.names import NameInvalid, is_host, is_repository, parse_host

PRIVATE = ".minreg"
BLOBS = "blobs"
MANIFESTS = "manifests"


def parse_repository_path(text: str) -> str:
    """Validate the path of a repository below the root: its name, with or without its host.

    Raises:
        NameInvalid: It is no such name, or has a part that a tree uses for content.
    """
    first, _, rest = text.partition("/")
    name = text
    if rest and is_host(first) and parse_host(first) == first:
        name = rest
    if not is_repository(name):
        raise NameInvalid(f"{text[:160]!r} is no repository name")
    if {BLOBS, MANIFESTS} & set(text.split("/")):
        raise NameInvalid(
            f"{text!r} has a part named {BLOBS!r} or {MANIFESTS!r}: "
            "a registry tree stores content under these names"
        )
    return text


def levels(repository: str) -> list[str]:
    """Return the directories of a repository's path, such as ``a`` and ``a/b`` for ``a/b``."""
    parts = repository.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
