"""Writes what ``pip config list`` prints, on stdin, as the configuration of another root.

Only what says where packages are and whose certificates count is taken over; files and
directories that it names are copied along. The root is the one argument.
"""

import ast
import configparser
import itertools
import os
import shutil
import sys
from collections.abc import Iterable
from urllib.parse import urlsplit

_KEYS = frozenset(
    {
        "cert",
        "client-cert",
        "constraint",
        "default-timeout",
        "extra-index-url",
        "find-links",
        "index-url",
        "no-index",
        "proxy",
        "retries",
        "timeout",
        "trusted-host",
    }
)
_PATHS = frozenset({"cert", "client-cert", "constraint", "find-links"})
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def convert(lines: Iterable[str], root: str) -> configparser.RawConfigParser:
    """Make the configuration, and copy what it names into the root."""
    configuration = configparser.RawConfigParser()
    configuration["global"] = {"cert": _CERTIFICATES}
    numbers = itertools.count()
    environment = {}
    for line in lines:
        name, _, literal = line.strip().partition("=")
        section, _, key = name.rpartition(".")
        if key not in _KEYS:
            continue
        value = str(ast.literal_eval(literal))
        if key in _PATHS:
            value = " ".join(_copy(word, root, next(numbers)) for word in value.split())
        if section == ":env:":
            environment[key] = value
            continue
        if not configuration.has_section(section):
            configuration.add_section(section)
        configuration[section][key] = value
    # A variable of the environment counts more than any section of a file.
    for key, value in environment.items():
        for section in configuration.sections():
            configuration[section].pop(key, None)
        configuration["global"][key] = value
    return configuration


def _copy(word: str, root: str, number: int) -> str:
    path = urlsplit(word).path if word.startswith("file:") else word
    if not os.path.isabs(path) or not os.path.exists(path) or path == _CERTIFICATES:
        return word
    inside = f"/usr/local/share/minreg-ci/{number}/{os.path.basename(path)}"
    os.makedirs(os.path.dirname(root + inside), exist_ok=True)
    if os.path.isdir(path):
        shutil.copytree(path, root + inside)
    else:
        shutil.copyfile(path, root + inside)
    return inside


def main() -> None:
    """Write the configuration of the root."""
    root = sys.argv[1]
    with open(f"{root}/etc/pip.conf", "w", encoding="utf-8") as file:
        convert(sys.stdin, root).write(file)


if __name__ == "__main__":
    main()
