"""Reads the credentials that docker and podman store on this machine.

Sources: docker's ``config.json`` (``auths``, ``credHelpers``, ``credsStore`` and the
protocol of the credential helpers) and containers-auth.json(5).
"""

import base64
import binascii
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import attrs

from minreg.fill.errors import FillError
from minreg.oci.names import DOCKER_HUB

_HUB_KEY = "https://index.docker.io/v1/"
_HELPER_TIMEOUT = 60
_IDENTITY = "<token>"


@attrs.frozen
class Credentials:
    """A user name and password, or one of two kinds of token."""

    username: str = ""
    password: str = attrs.field(default="", repr=False)
    identity_token: str = attrs.field(default="", repr=False)
    registry_token: str = attrs.field(default="", repr=False)


def find_credentials(
    host: str, repository: str, environment: Mapping[str, str]
) -> Credentials | None:
    """Return the credentials for a repository, from docker's files, or else from podman's.

    Args:
        host: The registry, with its port if one was given.
        repository: The repository; podman can store credentials for it alone.
        environment: The process's environment, which says where the files are.

    Returns:
        The credentials, or None if there are none.

    Raises:
        FillError: A file cannot be read, or a credential helper fails.
    """
    for path in _files(environment):
        document = _read_document(path)
        credentials = _from_helper(document, host) or _from_auths(document, host, repository)
        if credentials is not None:
            return credentials
    return None


def _files(environment: Mapping[str, str]) -> Iterator[str]:
    home = environment.get("HOME", "")
    docker = environment.get("DOCKER_CONFIG") or os.path.join(home, ".docker")
    yield os.path.join(docker, "config.json")
    if "REGISTRY_AUTH_FILE" in environment:
        yield environment["REGISTRY_AUTH_FILE"]
    if "XDG_RUNTIME_DIR" in environment:
        yield os.path.join(environment["XDG_RUNTIME_DIR"], "containers", "auth.json")
    configuration = environment.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    yield os.path.join(configuration, "containers", "auth.json")


def _read_document(path: str) -> Mapping[str, Any]:
    try:
        with open(path, "rb") as file:
            document = json.load(file)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise FillError(
            f"cannot read {path}: {error.strerror}; give this user permission"
        ) from None
    except ValueError as error:
        raise FillError(
            f"cannot read {path}: it is not JSON ({error}); correct it, or log in again"
        ) from None
    return document if isinstance(document, dict) else {}


def _keys(host: str, repository: str) -> Iterator[str]:
    """Yield the keys that credentials can be stored under, the most specific first."""
    parts = repository.split("/")
    hosts = list(dict.fromkeys([host, host.removesuffix(":443")]))
    if host == DOCKER_HUB:
        hosts += ["index.docker.io", "registry-1.docker.io"]
    for name in hosts:
        for end in range(len(parts), 0, -1):
            yield "/".join([name, *parts[:end]])
    if host == DOCKER_HUB:
        yield _HUB_KEY
    for name in hosts:
        yield from (name, f"https://{name}", f"https://{name}/v1/", f"https://{name}/v2/")
        yield from (f"http://{name}", f"{name}/")


def _from_auths(document: Mapping[str, Any], host: str, repository: str) -> Credentials | None:
    auths = document.get("auths")
    if not isinstance(auths, dict):
        return None
    for key in _keys(host, repository):
        entry = auths.get(key)
        if isinstance(entry, dict):
            credentials = _read_entry(entry)
            if credentials != Credentials():
                return credentials
    return None


def _read_entry(entry: Mapping[str, Any]) -> Credentials:
    names = ("username", "password", "identitytoken", "registrytoken")
    username, password, identity, registry = (str(entry.get(name) or "") for name in names)
    with suppress(binascii.Error, UnicodeDecodeError):
        decoded = base64.b64decode(str(entry.get("auth") or ""), validate=True).decode()
        if ":" in decoded:
            username, _, password = decoded.rstrip("\0").partition(":")
    return Credentials(username, password, identity, registry)


def _from_helper(document: Mapping[str, Any], host: str) -> Credentials | None:
    helpers = document.get("credHelpers")
    name = helpers.get(host) if isinstance(helpers, dict) else None
    name = name or document.get("credsStore")
    if not isinstance(name, str) or not name:
        return None
    return _run_helper(f"docker-credential-{name}", _HUB_KEY if host == DOCKER_HUB else host)


def _run_helper(program: str, server: str) -> Credentials | None:
    try:
        process = subprocess.run(  # noqa: S603 - the program that the user's own file names
            [program, "get"],
            input=server.encode(),
            capture_output=True,
            timeout=_HELPER_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FillError(f"cannot run the credential helper {program}: {error}") from None
    if process.returncode != 0:
        output = (process.stdout + process.stderr).decode(errors="replace").strip()
        if "credentials not found" in output:
            return None
        raise FillError(f"the credential helper {program} failed for {server}: {output[:200]}")
    try:
        answer = json.loads(process.stdout)
        username, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError):
        raise FillError(f"the credential helper {program} returned no valid credentials") from None
    if username == _IDENTITY:
        return Credentials(identity_token=secret)
    return Credentials(username, secret)
