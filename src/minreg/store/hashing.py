"""Whether files hold what their digests say."""

import hashlib
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed

import attrs

from minreg.oci.names import Digest

_CHUNK = 1024 * 1024

Advanced = Callable[[int], None]
"""Told how many more bytes were hashed, in any thread."""


@attrs.frozen
class Corruption:
    """What is wrong with a file; ``is_read`` says that all of it could be read."""

    words: str
    is_read: bool = True

    def __str__(self) -> str:
        return self.words


def find_corrupt_files(
    files: Mapping[str, Digest], advanced: Advanced, threads: int | None = None
) -> dict[str, Corruption]:
    """Hash files, and say what is wrong with those that are damaged.

    Args:
        files: Paths, each with what it should hash to.
        advanced: Told of the progress.
        threads: How many to hash with; as many as there are processors if None.
    """
    damaged: dict[str, Corruption] = {}
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        futures = {
            pool.submit(_find_damage, path, digest, advanced): path
            for path, digest in files.items()
        }
        for future in as_completed(futures):
            damage = future.result()
            if damage is not None:
                damaged[futures[future]] = damage
    return damaged


def _find_damage(path: str, digest: Digest, advanced: Advanced) -> Corruption | None:
    hashed = hashlib.new(digest.algorithm)
    try:
        with open(path, "rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                hashed.update(chunk)
                advanced(len(chunk))
    except OSError as error:
        return Corruption(f"{path} cannot be read: {error.strerror}", is_read=False)
    if hashed.hexdigest() != digest.encoded:
        return Corruption(f"{path} does not hold what its name says: remove it and download again")
    return None
