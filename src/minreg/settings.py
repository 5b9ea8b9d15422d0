"""The daemon's settings: parsing options into one typed value."""

import ipaddress
import os
from collections.abc import Mapping

import attrs

from minreg.defaults import DEFAULT_ALIAS, DEFAULT_INTERFACE, DEFAULT_PORT
from minreg.log import LOG_FORMATS
from minreg.oci.names import NameInvalid, parse_host

BACKLOG = 1024
"""Connections that may wait to be accepted. With Twisted's 50, a burst has to wait a second
for TCP's retransmission."""

_MOST_WORKERS = 64


class SettingInvalid(ValueError):
    """An option has an invalid value. The message names the option, and says what to do."""


@attrs.frozen
class ListenEndpoint:
    """An endpoint to listen on.

    Attributes:
        words: The option that describes it, for messages.
        description: Twisted's description of the endpoint.
        descriptor: The socket that systemd has passed for it; None if it is to be opened.
    """

    words: str
    description: str
    descriptor: int | None = None


@attrs.frozen
class Settings:
    """What to serve, where, and how to log it.

    Attributes:
        root: The root directory of the tree.
        listen: The endpoints to listen on.
        log_format: One of ``minreg.log.LOG_FORMATS``.
        aliases: Names of this registry, each with the upstream host that it stands for.
        allow_links_to: Directories outside of the root that symbolic links may point to.
        waits_for_root: Whether the root may be created or mounted later.
        workers: The number of processes.
        status_listen: The endpoint of the status; None if it is served with the registry.
        has_page: Whether there are pages for people.
    """

    root: str
    listen: tuple[ListenEndpoint, ...]
    log_format: str = "text"
    aliases: Mapping[str, str] = attrs.field(factory=dict)
    allow_links_to: tuple[str, ...] = ()
    waits_for_root: bool = False
    workers: int = 1
    status_listen: ListenEndpoint | None = None
    has_page: bool = True


def check_root(path: str | None) -> str:
    """Check that a root directory exists and can be read, and return its absolute path.

    Raises:
        SettingInvalid: It does not exist, or cannot be read.
    """
    root = check_later_root(path)
    if not os.path.exists(root):
        raise SettingInvalid(
            f"--root {root} does not exist: unpack the registry tree there, "
            "or start with --wait-for-root"
        )
    return root


def check_later_root(path: str | None) -> str:
    """Check a root directory that may not exist yet, and return its absolute path.

    Raises:
        SettingInvalid: None is given, or it exists and is not a readable directory.
    """
    if not path:
        raise SettingInvalid(
            "--root is missing: give the directory of the registry tree, or set MINREG_ROOT"
        )
    root = os.path.abspath(path)
    if not os.path.exists(root):
        return root
    if not os.path.isdir(root):
        raise SettingInvalid(
            f"--root {root} is not a directory: give the directory of the registry tree"
        )
    if not os.access(root, os.R_OK | os.X_OK):
        raise SettingInvalid(
            f"--root {root} cannot be read by this user: chmod a+rX it, or run as its owner"
        )
    return root


def check_directory(path: str) -> str:
    """Check a directory that symbolic links may point to, and return its absolute path.

    Raises:
        SettingInvalid: It is not a directory.
    """
    if not os.path.isdir(path):
        raise SettingInvalid(
            f"--allow-links-to {path} is not a directory: give the directory that links lead to"
        )
    return os.path.abspath(path)


def parse_alias(text: str) -> tuple[str, str]:
    """Parse ``NAME=HOST``.

    Raises:
        SettingInvalid: It has another form, or a side is not a registry host.
    """
    name, separator, host = text.partition("=")
    try:
        if separator:
            return parse_host(name), parse_host(host)
    except NameInvalid:
        pass
    raise SettingInvalid(
        f"--registry-alias {text!r} is not NAME=HOST: write it as in {DEFAULT_ALIAS}"
    )


def parse_log_format(text: str) -> str:
    """Check the name of a log format, and return it.

    Raises:
        SettingInvalid: There is no such format.
    """
    if text not in LOG_FORMATS:
        raise SettingInvalid(f"--log-format {text!r} is unknown: use {' or '.join(LOG_FORMATS)}")
    return text


def parse_workers(text: str) -> int:
    """Parse the number of processes: a number, or ``auto`` for one per processor.

    Raises:
        SettingInvalid: It is neither.
    """
    if text == "auto":
        return len(os.sched_getaffinity(0))
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= _MOST_WORKERS):
        raise SettingInvalid(
            f"--workers {text!r} is not a number of processes: use 1 to {_MOST_WORKERS}, or auto"
        )
    return int(text)


def tcp_endpoint(port: str | None, interface: str | None) -> ListenEndpoint:
    """Return the endpoint of a port and an interface.

    Raises:
        SettingInvalid: One of them is invalid.
    """
    port = str(DEFAULT_PORT) if port is None else port
    interface = DEFAULT_INTERFACE if interface is None else interface
    if not (port.isascii() and port.isdigit() and len(port) < 6 and int(port) < 65536):
        raise SettingInvalid(f"--port {port!r} is not a port: use a number from 1 to 65535")
    try:
        ipaddress.ip_address(interface)
    except ValueError:
        raise SettingInvalid(
            f"--interface {interface!r} is not an IP address: use that of an interface, "
            "127.0.0.1 for this machine only, or 0.0.0.0 for all"
        ) from None
    quoted = interface.replace("\\", r"\\").replace(":", r"\:")
    return ListenEndpoint(
        f"--port {port} --interface {interface}",
        f"tcp:{port}:interface={quoted}:backlog={BACKLOG}",
    )
