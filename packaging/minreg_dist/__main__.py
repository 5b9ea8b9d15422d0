"""``tox run -e dist``: builds minreg for nodes that have no Python.

For each architecture, it writes a self-extracting installer and an archive of the same tree, and
then ``SHA256SUMS``. Only the first run builds Python, which takes minutes.
"""

import argparse
import os
import re
import sys
from collections.abc import Sequence

from minreg_dist.archives import write_installer, write_sums, write_tar
from minreg_dist.interpreter import ARCHITECTURES, Builder
from minreg_dist.sources import download_sources
from minreg_dist.tree import Assembly, collect_wheels

_PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main(arguments: Sequence[str]) -> None:
    """Build what the arguments name."""
    options = _parse(arguments)
    cache, output = map(os.path.abspath, (options.cache, options.output))
    names = options.arch or [architecture.name for architecture in ARCHITECTURES]
    os.makedirs(output, exist_ok=True)
    sources = download_sources(cache)
    version = _read_version()
    python = None
    written = []
    for architecture in ARCHITECTURES:
        builder = Builder(architecture, cache, options.jobs, sources, python)
        # The first one is that of this machine: its Python is needed for the others.
        if python is not None and architecture.name not in names:
            continue
        interpreter = builder.build()
        python = python or builder.python
        if architecture.name not in names:
            continue
        wheels = os.path.join(builder.directory, "wheels")
        collect_wheels(_PROJECT, architecture, wheels)
        tree = os.path.join(builder.directory, "minreg")
        Assembly(architecture, interpreter, sources, python, wheels, version).write(tree)
        base = os.path.join(output, f"minreg-{version}-linux-{architecture.name}")
        write_tar(tree, "minreg", f"{base}.tar.gz")
        write_installer(f"{base}.tar.gz", version, architecture.machine, f"{base}.run")
        written += [f"{base}.tar.gz", f"{base}.run"]
    write_sums(written, os.path.join(output, "SHA256SUMS"))
    for path in written:
        print(f"{path}: {os.path.getsize(path) / 1e6:.1f} MB")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tox run -e dist --", description=__doc__)
    parser.add_argument(
        "--arch",
        action="append",
        choices=[architecture.name for architecture in ARCHITECTURES],
        help="build only this architecture; repeatable",
    )
    parser.add_argument("--output", default="dist", help="the directory to write to (dist)")
    parser.add_argument(
        "--cache",
        default=os.path.expanduser("~/.cache/minreg-dist"),
        help="the directory of sources and of built interpreters (~/.cache/minreg-dist)",
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="compilers to run")
    return parser.parse_args(arguments)


def _read_version() -> str:
    """Return minreg's version, from its source.

    Raises:
        SystemExit: There is none.
    """
    with open(os.path.join(_PROJECT, "src/minreg/__init__.py"), encoding="utf-8") as file:
        match = re.search(r'^__version__ = "(.+)"$', file.read(), re.MULTILINE)
    if match is None:
        sys.exit("src/minreg/__init__.py has no version")
    return match[1]


if __name__ == "__main__":
    main(sys.argv[1:])
