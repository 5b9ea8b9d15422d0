"""Checking files against their digests."""

import hashlib
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed

import attrs

from minreg.oci.names import Digest

_CHUNK = 1024 * 1024

Advanced = Callable[[int], None]
"""Called with the number of bytes that were hashed since the last call, from any thread."""


@attrs.frozen
class Corruption:
    """What is wrong with a file.

    Attributes:
        words: A sentence that says what is wrong and what to do.
        is_read: Whether all of the file could be read.
    """

    words: str
    is_read: bool = True

    def __str__(self) -> str:
        return self.words


def find_corrupt_files(
    files: Mapping[str, Digest], advanced: Advanced, threads: int | None = None
) -> dict[str, Corruption]:
    """Hash files, and return those whose content does not have its digest.

    Args:
        files: Paths, each with the digest that the file should have.
        advanced: Called with the progress.
        threads: The number of threads; one for each processor if None.
    """
    corrupt: dict[str, Corruption] = {}
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        futures = {
            pool.submit(_find_corruption, path, digest, advanced): path
            for path, digest in files.items()
        }
        for future in as_completed(futures):
            corruption = future.result()
            if corruption is not None:
                corrupt[futures[future]] = corruption
    return corrupt


def _find_corruption(path: str, digest: Digest, advanced: Advanced) -> Corruption | None:
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
