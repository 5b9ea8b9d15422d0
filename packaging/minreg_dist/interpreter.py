"""Builds Python, with the libraries that it needs, as one program for any Linux.

The compiler is ``zig cc``, which has the headers and symbols of all versions of glibc. So the
program runs with the oldest glibc that it is linked for, whichever the build machine has, and both
architectures are built on one machine. Python's extension modules and their libraries are part of
the program; only glibc is loaded at run time.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec

import attrs
from minreg_dist.sources import Source

GLIBC = "2.28"
"""The oldest glibc that the program runs with: that of RHEL 8, Debian 10 and SLES 15 SP3."""

PYTHON = "python3.13"

_HERE = os.path.dirname(os.path.abspath(__file__))
_FLAGS = "-O2 -g0 -fPIC -fno-sanitize=all"
# For things that minreg and its libraries do not use, or whose libraries are not built.
_LEFT_OUT = (
    *("_codecs_cn", "_codecs_hk", "_codecs_iso2022", "_codecs_jp", "_codecs_kr", "_codecs_tw"),
    *("_ctypes", "_curses", "_curses_panel", "_dbm", "_gdbm", "_lsprof", "_multibytecodec"),
    *("_sqlite3", "_tkinter", "_uuid", "readline", "xxlimited", "xxlimited_35"),
)
_LINK = """\
include Makefile
minreg: Programs/minreg.o $(LINK_PYTHON_DEPS)
\t$(LINKCC) $(PY_CORE_LDFLAGS) $(LINKFORSHARED) -s -o $@ Programs/minreg.o \
$(LINK_PYTHON_OBJS) $(LIBS) $(MODLIBS) $(SYSLIBS)
"""


@attrs.frozen
class Architecture:
    """A processor architecture, under the names that others give it.

    Attributes:
        name: Debian's and Go's name.
        machine: The kernel's name, which the names of wheels use too.
        openssl: OpenSSL's name for Linux on it.
    """

    name: str
    machine: str
    openssl: str

    @property
    def target(self) -> str:
        """The name that ``zig cc`` knows the system by."""
        return f"{self.machine}-linux-gnu.{GLIBC}"


ARCHITECTURES = (
    Architecture("amd64", "x86_64", "linux-x86_64"),
    Architecture("arm64", "aarch64", "linux-aarch64"),
)


@attrs.frozen
class Interpreter:
    """A built Python.

    Attributes:
        program: The launcher, which contains Python.
        library: The standard library, as in the source.
    """

    program: str
    library: str


@attrs.frozen
class Builder:
    """Builds for one architecture, in a directory of the cache.

    Attributes:
        architecture: What to build for.
        cache: A directory that is kept between builds.
        jobs: The number of compilers to run at once.
        sources: The sources.
        build_python: A Python of the same version for this machine, None to build for it.
    """

    architecture: Architecture
    cache: str
    jobs: int
    sources: Sequence[Source]
    build_python: str | None = None

    @property
    def directory(self) -> str:
        """The directory of everything that is built for this architecture."""
        return os.path.join(self.cache, f"{self.architecture.name}-glibc{GLIBC}")

    @property
    def python(self) -> str:
        """The Python for this architecture, in the directory in which it was built."""
        return os.path.join(self._work(PYTHON), "python")

    def build(self) -> Interpreter:
        """Build what was not built yet.

        Raises:
            CalledProcessError: A program failed; it has printed why.
        """
        self._write_tools()
        steps = {
            "zlib": self._build_zlib,
            "bzip2": self._build_bzip2,
            "xz-utils": self._build_xz,
            "openssl": self._build_openssl,
            PYTHON: self._build_python,
        }
        built = ""
        for source in self.sources:
            # A library that changes has all that use it built again.
            built += f"{source.name} {source.digest}\n"
            self._build_once(source, built, steps[source.name])
        shutil.copyfile(os.path.join(_HERE, "launcher.c"), self._work(PYTHON, "Programs/minreg.c"))
        with open(self._work(PYTHON, "minreg.mk"), "w", encoding="ascii") as file:
            file.write(_LINK)
        self._run(PYTHON, "make", "-f", "minreg.mk", "minreg")
        return Interpreter(self._work(PYTHON, "minreg"), self._work(PYTHON, "Lib"))

    def _build_once(self, source: Source, built: str, step: Callable[[], None]) -> None:
        stamp = os.path.join(self.directory, f"{source.name}.built")
        if os.path.exists(stamp):
            with open(stamp, encoding="ascii") as file:
                if file.read() == built:
                    return
        work = self._work(source.name)
        shutil.rmtree(work, ignore_errors=True)
        unpacked = source.unpack(self.directory)
        os.rename(unpacked, work)
        step()
        with open(stamp, "w", encoding="ascii") as file:
            file.write(built)

    def _build_zlib(self) -> None:
        self._run("zlib", "./configure", "--static", f"--prefix={self._prefix}")
        self._make("zlib", "install")

    def _build_bzip2(self) -> None:
        tools = [f"{name}={tool}" for name, tool in self._environment().items() if name != "PATH"]
        self._run("bzip2", "make", *tools, "libbz2.a")
        for name, directory in (("libbz2.a", "lib"), ("bzlib.h", "include")):
            shutil.copy(self._work("bzip2", name), os.path.join(self._prefix, directory))

    def _build_xz(self) -> None:
        programs = ("xz", "xzdec", "lzmadec", "lzmainfo", "lzma-links", "scripts", "doc", "nls")
        self._run(
            "xz-utils",
            *("./configure", f"--prefix={self._prefix}", f"--host={self._host}"),
            *("--disable-shared", *(f"--disable-{name}" for name in programs)),
        )
        self._make("xz-utils", "install")

    def _build_openssl(self) -> None:
        left_out = ("shared", "module", "tests", "apps", "docs", "engine", "legacy")
        self._run(
            "openssl",
            *("./Configure", self.architecture.openssl, *(f"no-{name}" for name in left_out)),
            # Where the system keeps its certificate authorities, on most distributions.
            *(f"--prefix={self._prefix}", "--libdir=lib", "--openssldir=/etc/ssl"),
        )
        self._make("openssl", "build_libs")
        self._run("openssl", "make", "install_dev")

    def _build_python(self) -> None:
        work = self._work(PYTHON)
        build_information = os.path.join(work, "Modules/getbuildinfo.c")
        with open(build_information, encoding="utf-8") as file:
            text = file.read()
        with open(build_information, "w", encoding="utf-8") as file:
            # The same source gives the same program.
            file.write(re.sub(r"(#define (DATE|TIME)) .*", r'\1 "unknown"', text))
        cross = []
        if self.build_python is not None:
            cross = [
                *(f"--with-build-python={self.build_python}", "--build=x86_64-linux-gnu"),
                *(f"--host={self._host}", "ac_cv_buggy_getaddrinfo=no"),
                *("ac_cv_file__dev_ptmx=yes", "ac_cv_file__dev_ptc=no"),
            ]
        self._run(
            PYTHON,
            *("./configure", *cross, f"--with-openssl={self._prefix}", "--enable-ipv6"),
            *("--without-ensurepip", "--disable-test-modules", "--with-system-libmpdec=no"),
            *(f"py_cv_module_{name}=n/a" for name in _LEFT_OUT),
            more={
                "MODULE_BUILDTYPE": "static",
                "PKG_CONFIG_LIBDIR": os.path.join(self._prefix, "lib/pkgconfig"),
                "CPPFLAGS": f"-I{self._prefix}/include",
                "LDFLAGS": f"-L{self._prefix}/lib",
                **{
                    f"{name}_{kind}": value.format(self._prefix)
                    for name, library in (("ZLIB", "z"), ("BZIP2", "bz2"), ("LIBLZMA", "lzma"))
                    for kind, value in (("CFLAGS", "-I{}/include"), ("LIBS", f"-l{library}"))
                },
            },
        )
        self._make(PYTHON)

    @property
    def _host(self) -> str:
        return f"{self.architecture.machine}-linux-gnu"

    @property
    def _prefix(self) -> str:
        return os.path.join(self.directory, "prefix")

    def _work(self, name: str, file: str = "") -> str:
        return os.path.join(self.directory, name, file).rstrip("/")

    def _write_tools(self) -> None:
        """Write the scripts that stand for the compiler and its tools."""
        tools = os.path.join(self.directory, "tools")
        for directory in (tools, f"{self._prefix}/lib", f"{self._prefix}/include"):
            os.makedirs(directory, exist_ok=True)
        target = f"-target {self.architecture.target}"
        words = {"cc": f"cc {target}", "ar": "ar", "ranlib": "ranlib"}
        for name, arguments in words.items():
            path = os.path.join(tools, name)
            with open(path, "w", encoding="utf-8") as file:
                file.write(f'#!/bin/sh\nexec {json.dumps(_find_zig())} {arguments} "$@"\n')
            os.chmod(path, 0o755)

    def _environment(self) -> Mapping[str, str]:
        tools = os.path.join(self.directory, "tools")
        return {
            "PATH": os.environ["PATH"],
            "CC": f"{tools}/cc",
            "AR": f"{tools}/ar",
            "RANLIB": f"{tools}/ranlib",
            "CFLAGS": _FLAGS,
        }

    def _make(self, name: str, *targets: str) -> None:
        self._run(name, "make", f"-j{self.jobs}", *targets)

    def _run(self, name: str, *command: str, more: Mapping[str, str] | None = None) -> None:
        """Run a program in the directory of a source, with its output in a log."""
        log = os.path.join(self.directory, f"{name}.log")
        environment = {
            **self._environment(),
            "HOME": self.directory,
            "LC_ALL": "C",
            "ZIG_GLOBAL_CACHE_DIR": os.path.join(self.cache, "zig"),
            "ZIG_LOCAL_CACHE_DIR": os.path.join(self.cache, "zig"),
            **(more or {}),
        }
        print(f"{self.architecture.name} {name}: {' '.join(command)[:100]}", flush=True)
        with open(log, "a", encoding="utf-8") as file:
            status = subprocess.run(
                command,
                cwd=self._work(name),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                check=False,
            ).returncode
        if status:
            sys.exit(f"{name}: {command[0]} failed with status {status}: see {log}")


def _find_zig() -> str:
    """Return the path of zig, which the package ``ziglang`` contains.

    Raises:
        SystemExit: The package is not installed.
    """
    spec = find_spec("ziglang")
    if spec is None or spec.submodule_search_locations is None:
        sys.exit("ziglang is not installed: run this with: tox run -e dist")
    return os.path.join(spec.submodule_search_locations[0], "zig")
