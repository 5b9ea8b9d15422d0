"""Tests for ``minreg.fill.upstream.credentials``."""

import base64
import json
import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import FillError
from minreg.fill.upstream.credentials import Credentials, find_credentials

ALICE = Credentials("alice", "secret")
ALICE_ENTRY = {"auth": base64.b64encode(b"alice:secret").decode("ascii")}


class FindCredentialsTests(SynchronousTestCase):
    """Tests for ``find_credentials``."""

    def setUp(self) -> None:
        """Create a home directory."""
        self.home = os.path.abspath(self.mktemp())
        self.environment = {"HOME": self.home, "PATH": os.environ["PATH"]}

    def write(self, path: str, document: Any) -> None:
        """Write a file below the home directory."""
        path = os.path.join(self.home, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as file:
            json.dump(document, file)

    def write_auths(self, **auths: Any) -> None:
        """Write docker's file."""
        self.write(".docker/config.json", {"auths": auths})

    def write_helper(self, script: str) -> None:
        """Install a credential helper."""
        self.write(".docker/config.json", {"credHelpers": {"quay.io": "test"}})
        path = os.path.join(self.home, "docker-credential-test")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\n{script}\n")
        os.chmod(path, 0o755)
        self.patch(os, "environ", {**os.environ, "PATH": f"{self.home}:{os.environ['PATH']}"})

    def find(self, host: str = "quay.io", repository: str = "a/b") -> Credentials | None:
        """Find the credentials for a repository."""
        return find_credentials(host, repository, self.environment)

    def test_none(self) -> None:
        """Without any file there are no credentials."""
        self.assertIsNone(self.find())

    def test_docker(self) -> None:
        """Docker's file has user name and password in one field."""
        self.write_auths(**{"quay.io": ALICE_ENTRY})
        self.assertEqual(self.find(), ALICE)
        self.assertIsNone(self.find("ghcr.io"))

    def test_usual_port(self) -> None:
        """Port 443 is the same registry as no port; another port is not."""
        self.write_auths(**{"quay.io": ALICE_ENTRY, "ghcr.io:443": ALICE_ENTRY})
        self.assertEqual(self.find("quay.io:443"), ALICE)
        self.assertEqual(self.find("ghcr.io:443"), ALICE)
        self.assertIsNone(self.find("quay.io:80"))

    def test_docker_hub(self) -> None:
        """Docker Hub's credentials are stored under its old address."""
        self.write_auths(**{"https://index.docker.io/v1/": ALICE_ENTRY})
        self.assertEqual(self.find("docker.io", "library/busybox"), ALICE)

    def test_docker_config(self) -> None:
        """DOCKER_CONFIG names another directory."""
        self.write("elsewhere/config.json", {"auths": {"quay.io": ALICE_ENTRY}})
        self.environment["DOCKER_CONFIG"] = os.path.join(self.home, "elsewhere")
        self.assertEqual(self.find(), ALICE)

    def test_fields(self) -> None:
        """User name, password and tokens can be in fields of their own."""
        self.write_auths(
            **{
                "a.io": {"username": "alice", "password": "secret"},
                "b.io": {"identitytoken": "i"},
                "c.io": {"registrytoken": "r"},
                "d.io": {},
            }
        )
        self.assertEqual(self.find("a.io"), ALICE)
        self.assertEqual(self.find("b.io"), Credentials(identity_token="i"))
        self.assertEqual(self.find("c.io"), Credentials(registry_token="r"))
        self.assertIsNone(self.find("d.io"))

    def test_podman(self) -> None:
        """Podman's file is read too, and the most specific entry is used."""
        bob = {"auth": base64.b64encode(b"bob:other").decode("ascii")}
        self.write(
            ".config/containers/auth.json", {"auths": {"quay.io": bob, "quay.io/a": ALICE_ENTRY}}
        )
        self.assertEqual(self.find(), ALICE)
        self.assertEqual(self.find(repository="c"), Credentials("bob", "other"))

    def test_registry_auth_file(self) -> None:
        """REGISTRY_AUTH_FILE and XDG_RUNTIME_DIR name podman's other files."""
        self.write("x.json", {"auths": {"quay.io": ALICE_ENTRY}})
        self.write("run/containers/auth.json", {"auths": {"ghcr.io": ALICE_ENTRY}})
        self.environment["REGISTRY_AUTH_FILE"] = os.path.join(self.home, "x.json")
        self.environment["XDG_RUNTIME_DIR"] = os.path.join(self.home, "run")
        self.assertEqual([self.find("quay.io"), self.find("ghcr.io")], [ALICE, ALICE])

    def test_not_json(self) -> None:
        """A file that is not JSON is reported by its path."""
        path = os.path.join(self.home, ".docker", "config.json")
        os.makedirs(os.path.dirname(path))
        with open(path, "w", encoding="ascii") as file:
            file.write("{")
        failure = self.assertRaises(FillError, self.find)
        self.assertIn(f"cannot read {path}: it is not JSON", str(failure))

    def test_helper(self) -> None:
        """A credential helper receives the host on its standard input."""
        self.write_helper(
            'read -r server; [ "$1 $server" = "get quay.io" ] && '
            'echo \'{"Username":"alice","Secret":"secret"}\''
        )
        self.assertEqual(self.find(), ALICE)

    def test_helper_with_identity_token(self) -> None:
        """The user name <token> means that the secret is an identity token."""
        self.write_helper('echo \'{"Username":"<token>","Secret":"i"}\'')
        self.assertEqual(self.find(), Credentials(identity_token="i"))

    def test_helper_knows_nobody(self) -> None:
        """A helper without credentials for the host is no error."""
        self.write_helper("echo credentials not found in native keychain; exit 1")
        self.assertIsNone(self.find())

    def test_helper_fails(self) -> None:
        """A helper that fails, or returns nonsense, is reported by its name."""
        for script in ("echo locked >&2; exit 1", "echo nonsense", "echo '[]'"):
            self.write_helper(script)
            failure = self.assertRaises(FillError, self.find)
            self.assertIn("credential helper docker-credential-test", str(failure))

    def test_helper_missing(self) -> None:
        """A helper that is not installed is reported."""
        self.write(".docker/config.json", {"credsStore": "minreg-test-missing"})
        failure = self.assertRaises(FillError, self.find)
        self.assertIn(
            "cannot run the credential helper docker-credential-minreg-test-missing: ",
            str(failure),
        )
