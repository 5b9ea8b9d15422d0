"""The accounts that docker and podman know on this machine.

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
_HELPER_SECONDS = 60
_IDENTITY = "<token>"


@attrs.frozen
class Credentials:
    """An account: name and password, or one of two kinds of token instead of them."""

    username: str = ""
    password: str = attrs.field(default="", repr=False)
    identity_token: str = attrs.field(default="", repr=False)
    registry_token: str = attrs.field(default="", repr=False)


def find_credentials(
    host: str, repository: str, environment: Mapping[str, str]
) -> Credentials | None:
    """Find the account for a repository, in the files of docker first, then of podman.

    Args:
        host: The registry, with each port that it was named with.
        repository: The repository; podman may know an account for it alone.
        environment: Where the files are, as the process's environment says.

    Raises:
        FillFailure: A file or a credential helper that should know does not work.
    """
    for path in _files(environment):
        document = _read_document(path)
        found = _from_helper(document, host) or _from_auths(document, host, repository)
        if found is not None:
            return found
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
        raise FillError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise FillError(f"{path} is not JSON: {error}") from None
    return document if isinstance(document, dict) else {}


def _keys(host: str, repository: str) -> Iterator[str]:
    """Name what an account may be kept under, the narrowest first."""
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
            found = _read_entry(entry)
            if found != Credentials():
                return found
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
    return _ask_helper(f"docker-credential-{name}", _HUB_KEY if host == DOCKER_HUB else host)


def _ask_helper(program: str, server: str) -> Credentials | None:
    try:
        done = subprocess.run(  # noqa: S603 - the program that the user's own file names
            [program, "get"],
            input=server.encode(),
            capture_output=True,
            timeout=_HELPER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FillError(f"the credential helper {program} does not work: {error}") from None
    if done.returncode != 0:
        answer = (done.stdout + done.stderr).decode(errors="replace").strip()
        if "credentials not found" in answer:
            return None
        raise FillError(f"the credential helper {program} failed for {server}: {answer[:200]}")
    try:
        answer = json.loads(done.stdout)
        username, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError):
        raise FillError(f"the credential helper {program} answered nothing usable") from None
    if username == _IDENTITY:
        return Credentials(identity_token=secret)
    return Credentials(username, secret)
