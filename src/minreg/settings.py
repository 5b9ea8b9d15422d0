"""What the daemon was told to do, as one typed value."""

import ipaddress
import os
from collections.abc import Mapping

import attrs

from minreg.defaults import DEFAULT_ALIAS, DEFAULT_INTERFACE, DEFAULT_PORT
from minreg.log import LOG_FORMATS
from minreg.oci.names import NameInvalid, parse_host

BACKLOG = 1024
"""Connections that may wait to be accepted; with Twisted's 50, a burst waits a second."""

_MOST_WORKERS = 64


class SettingInvalid(ValueError):
    """An option's value cannot be used; the message names the option and the mend."""


@attrs.frozen
class ListenEndpoint:
    """Where to listen: the option in the operator's words, and Twisted's description.

    ``descriptor`` is the socket that systemd has passed for it, None where we open our own.
    """

    words: str
    description: str
    descriptor: int | None = None


@attrs.frozen
class Settings:
    """What to serve, where, and how to log it.

    ``aliases`` are names of this registry, each with the upstream host that is meant by it;
    ``waits_for_root`` says that the root may come later; ``workers`` how many processes serve.
    ``status_listen`` is where status is served, None where the registry is; ``has_page`` tells
    whether there is a page for people.
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
    """Make sure that there is a registry tree to serve.

    Raises:
        SettingInvalid: There is no such directory, or it cannot be read.
    """
    root = check_awaited_root(path)
    if not os.path.exists(root):
        raise SettingInvalid(
            f"--root {root} does not exist: unpack the registry tree there, "
            "or have it waited for with --wait-for-root"
        )
    return root


def check_awaited_root(path: str | None) -> str:
    """Make sure that a registry tree can be served, now or once it is there.

    Raises:
        SettingInvalid: None is named, or what is there is no directory that can be read.
    """
    if not path:
        raise SettingInvalid(
            "--root is missing: name the directory that holds the registry tree, or set "
            "MINREG_ROOT"
        )
    root = os.path.abspath(path)
    if not os.path.exists(root):
        return root
    if not os.path.isdir(root):
        raise SettingInvalid(f"--root {root} is not a directory: name the one that holds the tree")
    if not os.access(root, os.R_OK | os.X_OK):
        raise SettingInvalid(
            f"--root {root} cannot be read by this user: chmod a+rX it, or run as its owner"
        )
    return root


def check_directory(path: str) -> str:
    """Make sure that links may lead to a place that exists.

    Raises:
        SettingInvalid: It is no directory.
    """
    if not os.path.isdir(path):
        raise SettingInvalid(
            f"--allow-links-to {path} is not a directory: name the one that links lead to"
        )
    return os.path.abspath(path)


def parse_alias(text: str) -> tuple[str, str]:
    """Read ``NAME=HOST``.

    Raises:
        SettingInvalid: It has another form, or one side is no registry host.
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
    """Read the name of a log format.

    Raises:
        SettingInvalid: There is no such format.
    """
    if text not in LOG_FORMATS:
        raise SettingInvalid(f"--log-format {text!r} is unknown: use {' or '.join(LOG_FORMATS)}")
    return text


def parse_workers(text: str) -> int:
    """Read how many processes are wanted: a number, or ``auto`` for one per processor.

    Raises:
        SettingInvalid: It is neither.
    """
    if text == "auto":
        return len(os.sched_getaffinity(0))
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= _MOST_WORKERS):
        raise SettingInvalid(
            f"--workers {text!r} is no number of processes: use 1 to {_MOST_WORKERS}, or auto"
        )
    return int(text)


def tcp_endpoint(port: str | None, interface: str | None) -> ListenEndpoint:
    """Make the endpoint for a port and an interface.

    Raises:
        SettingInvalid: One of them cannot be.
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
