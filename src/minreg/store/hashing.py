"""Whether files hold what their digests say."""

import hashlib
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed

from minreg.names import Digest

_CHUNK = 1024 * 1024

Advanced = Callable[[int], None]
"""Told how many more bytes were hashed, in any thread."""


def find_damage(
    files: Mapping[str, Digest], advanced: Advanced, threads: int | None = None
) -> dict[str, str]:
    """Hash files, and say what is wrong with those that are damaged.

    Args:
        files: Paths, each with what it should hash to.
        advanced: Told of the progress.
        threads: How many to hash with; as many as there are processors if None.
    """
    damaged: dict[str, str] = {}
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        futures = {
            pool.submit(_find_fault, path, digest, advanced): path
            for path, digest in files.items()
        }
        for future in as_completed(futures):
            fault = future.result()
            if fault:
                damaged[futures[future]] = fault
    return damaged


def _find_fault(path: str, digest: Digest, advanced: Advanced) -> str:
    """Hash a file, and say what is wrong with it; empty if nothing is."""
    hashed = hashlib.new(digest.algorithm)
    try:
        with open(path, "rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                hashed.update(chunk)
                advanced(len(chunk))
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    if hashed.hexdigest() != digest.encoded:
        return f"{path} does not hold what its name says: remove it and download again"
    return ""
