"""Downloads the sources of Python and its libraries, as Debian distributes them.

apt checks their signatures. The newest versions of the release are used, so fixes of security
problems need no change here.
"""

import hashlib
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Sequence

import attrs

RELEASE = "trixie"
PACKAGES = ("zlib", "bzip2", "xz-utils", "openssl", "python3.13")


@attrs.frozen
class Source:
    """The source of a library.

    Attributes:
        name: The name of Debian's source package.
        archive: The path of the upstream archive in it.
    """

    name: str
    archive: str

    @property
    def version(self) -> str:
        """The upstream version, as in the name of the archive."""
        name = os.path.basename(self.archive)
        return name.removeprefix(f"{self.name}_").partition(".orig.tar")[0]

    @property
    def digest(self) -> str:
        """The SHA-256 of the archive, in hexadecimal."""
        with open(self.archive, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def unpack(self, directory: str) -> str:
        """Unpack the archive, and return its top directory.

        Args:
            directory: An existing directory.
        """
        with tarfile.open(self.archive) as archive:
            top = archive.getnames()[0].partition("/")[0]
            archive.extractall(directory, filter="tar")
        return os.path.join(directory, top)


def download_sources(cache: str) -> list[Source]:
    """Download the sources that are not in the cache yet.

    Args:
        cache: A directory that is kept between builds.

    Raises:
        CalledProcessError: apt cannot download them.
    """
    directory = os.path.join(cache, "sources")
    if not _find(directory):
        _download(directory)
    return _find(directory)


def _find(directory: str) -> list[Source]:
    """Return the sources in a directory; an empty list if one is missing."""
    names = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
    found = [
        Source(package, os.path.join(directory, name))
        for package in PACKAGES
        for name in names
        if name.startswith(f"{package}_") and ".orig.tar" in name and not name.endswith(".asc")
    ]
    return found if len(found) == len(PACKAGES) else []


def _download(directory: str) -> None:
    """Download the upstream archives with apt, in a configuration of its own."""
    state = os.path.join(directory, "apt")
    for name in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(state, name), exist_ok=True)
    sources = os.path.join(state, "sources.list")
    with open(sources, "w", encoding="ascii") as file:
        for url in _archive_urls():
            suite = f"{RELEASE}-security" if "security" in url else RELEASE
            file.write(f"deb-src {url} {suite} main\n")
    options = [
        *("-o", f"Dir::Etc::SourceList={sources}", "-o", "Dir::Etc::SourceParts=-"),
        *("-o", f"Dir::State::Lists={state}/lists", "-o", f"Dir::Cache={state}/cache"),
        # The versions that are installed on this machine do not matter.
        *("-o", "Dir::State::Status=/dev/null", "-o", "APT::Sandbox::User="),
    ]
    _run(["apt-get", *options, "update"], directory)
    for package in PACKAGES:
        _download_package(package, options, directory)


def _download_package(package: str, options: Sequence[str], directory: str) -> None:
    """Download the newest version of a package that is in the archive.

    An archive may list versions whose files it does not have yet, so older ones are tried too.

    Raises:
        SystemExit: None can be downloaded; apt has printed why.
    """
    shown = _run(["apt-cache", *options, "showsrc", package], directory)
    versions = re.findall(r"^Version: (\S+)$", shown, re.MULTILINE)
    for name in (package, *(f"{package}={version}" for version in dict.fromkeys(versions))):
        command = ["apt-get", *options, "source", "--download-only", "--tar-only", name]
        if subprocess.run(command, cwd=directory, check=False).returncode == 0:
            return
    sys.exit(f"cannot download the source of {package}: see above")


def _archive_urls() -> list[str]:
    """Return the addresses of the Debian archives that this machine uses.

    Raises:
        CalledProcessError: apt is not installed.
    """
    words = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    return list(dict.fromkeys(_run(words, None).split()))


def _run(command: Sequence[str], directory: str | None) -> str:
    ended = subprocess.run(command, cwd=directory, check=True, stdout=subprocess.PIPE, text=True)
    return ended.stdout
