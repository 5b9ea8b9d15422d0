"""What archives are made of, whatever kind of container they come in."""

import attrs

from minreg.fill.archives.compression import Readable


@attrs.frozen
class File:
    """A file in an archive. It is read before the next member is asked for, or never.

    ``path`` is clean, ``size`` in bytes and what ``content`` will give.
    """

    path: str
    size: int
    content: Readable


@attrs.frozen
class Link:
    """A second name for a file: ``target`` is the path of that, clean like ``path``."""

    path: str
    target: str


Member = File | Link
