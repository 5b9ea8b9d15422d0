"""Assembles the tree that is installed on a node: the program, the standard library, the packages.

The tree has no sources: only what Python has compiled, which depends on neither time nor path. It
may be moved, and nothing in it is written to at run time.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from glob import glob

import attrs
from minreg_dist.interpreter import GLIBC, PYTHON, Architecture, Interpreter
from minreg_dist.sources import Source

LIBRARY = f"lib/{PYTHON}"
_PACKAGES = f"{LIBRARY}/site-packages"

# Parts of the standard library that need what is not built, or are for developers.
_LEFT_OUT = (
    *("__phello__", "_pyrepl", "ctypes", "curses", "dbm", "ensurepip", "idlelib", "lib2to3"),
    *("pydoc_data", "site-packages", "sqlite3", "test", "tkinter", "turtledemo", "venv"),
    *("turtle.py", "__pycache__"),
)
# Parts of packages that minreg does not use. Twisted's protocols import none of the others.
_PRUNED = (
    *("twisted/conch", "twisted/mail", "twisted/names", "twisted/pair", "twisted/runner"),
    *("twisted/trial", "twisted/words", "twisted/_threads/test", "constantly/test*"),
    *("twisted/plugins/cred_*", "twisted/plugins/twisted_[!c]*", "twisted/plugins/twisted_conch*"),
    # zstandard has this for other Pythons than CPython.
    *(
        "zstandard/_cffi*",
        "twisted/python/_pydoctortemplates",
        "twisted/**/newsfragments",
        "**/test",
        "**/tests",
    ),
    *("twisted/**/*.misc", "**/*.pyi", "**/*.pyx", "**/*.c", "**/*.h", "**/_cffi_src"),
    *("*.dist-info/RECORD", "*.dist-info/WHEEL", "*.dist-info/direct_url.json", "bin"),
)


@attrs.frozen
class Assembly:
    """What a tree is made of.

    Attributes:
        architecture: What it is for.
        interpreter: The built Python.
        sources: The sources of Python and its libraries.
        python: A Python of the same version that runs on this machine.
        wheels: A directory of wheels.
        version: minreg's version.
    """

    architecture: Architecture
    interpreter: Interpreter
    sources: Sequence[Source]
    python: str
    wheels: str
    version: str

    def write(self, directory: str) -> None:
        """Write the tree.

        Args:
            directory: Its root, which is replaced if it exists.

        Raises:
            CalledProcessError: A file cannot be compiled.
        """
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(os.path.join(directory, "bin"))
        shutil.copy(self.interpreter.program, os.path.join(directory, "bin/minreg"))
        library = os.path.join(directory, LIBRARY)
        shutil.copytree(
            self.interpreter.library, library, ignore=shutil.ignore_patterns(*_LEFT_OUT)
        )
        packages = os.path.join(directory, _PACKAGES)
        for wheel in sorted(glob(os.path.join(self.wheels, "*.whl"))):
            _unpack(wheel, packages)
        for pattern in _PRUNED:
            for path in glob(os.path.join(packages, pattern), recursive=True):
                _remove(path)
        self._compile(directory)
        self._write_notes(directory)
        for path, is_directory in _walk(directory):
            executable = is_directory or path.endswith("bin/minreg")
            os.chmod(path, 0o755 if executable else 0o644)

    def _compile(self, directory: str) -> None:
        """Compile all modules, and remove their sources."""
        library = os.path.join(directory, LIBRARY)
        subprocess.run(
            [
                *(self.python, "-m", "compileall", "-q", "-b", "-j", "1"),
                *("--invalidation-mode", "unchecked-hash", "-s", directory, "-p", "/", library),
            ],
            env={"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"},
            check=True,
        )
        for path, is_directory in list(_walk(directory)):
            if not is_directory and path.endswith(".py"):
                os.unlink(path)

    def _write_notes(self, directory: str) -> None:
        """Write what the tree contains, and the licenses of the libraries in the program."""
        notes = os.path.join(directory, "share/minreg")
        os.makedirs(notes)
        _write(os.path.join(notes, "VERSION"), f"{self.version}\n")
        lines = [f"glibc >= {GLIBC}, linux/{self.architecture.name}\n"]
        lines += [f"{item.name} {item.version} sha256:{item.digest}\n" for item in self.sources]
        for wheel in sorted(glob(os.path.join(self.wheels, "*.whl"))):
            name, version = os.path.basename(wheel).split("-")[:2]
            lines.append(f"{name} {version}\n")
        _write(os.path.join(notes, "CONTENTS"), "".join(lines))
        for source in self.sources:
            work = os.path.dirname(os.path.dirname(self.interpreter.program))
            for name in ("LICENSE", "LICENSE.txt", "COPYING"):
                with suppress(FileNotFoundError):
                    shutil.copy(
                        os.path.join(work, source.name, name),
                        os.path.join(notes, f"LICENSE.{source.name}"),
                    )


def collect_wheels(project: str, architecture: Architecture, directory: str) -> None:
    """Build minreg's wheel, and download those of its dependencies.

    Args:
        project: The root of the source of minreg.
        architecture: What the wheels are for.
        directory: Where to put them; it is emptied first.

    Raises:
        CalledProcessError: pip failed; it has printed why.
    """
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", directory, project], check=True)
    (wheel,) = glob(os.path.join(directory, "minreg-*.whl"))
    version = PYTHON.removeprefix("python")
    machine = architecture.machine
    subprocess.run(
        [
            *(*pip, "download", "--only-binary=:all:", "--dest", directory),
            *("--constraint", os.path.join(os.path.dirname(__file__), "constraints.txt")),
            *("--python-version", version, "--implementation", "cp"),
            *("--abi", f"cp{version.replace('.', '')}", "--abi", "abi3", "--abi", "none"),
            *(
                "--platform",
                f"manylinux_2_28_{machine}",
                "--platform",
                f"manylinux_2_17_{machine}",
            ),
            *("--platform", f"manylinux2014_{machine}", wheel),
        ],
        check=True,
    )


def _unpack(wheel: str, packages: str) -> None:
    """Unpack the modules of a wheel; its scripts are not needed."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if ".data/" not in name:
                archive.extract(name, packages)


def _walk(directory: str) -> Iterator[tuple[str, bool]]:
    """Yield each path below a directory, and whether it is a directory."""
    for parent, directories, files in os.walk(directory):
        yield from ((os.path.join(parent, name), True) for name in directories)
        yield from ((os.path.join(parent, name), False) for name in files)


def _remove(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
