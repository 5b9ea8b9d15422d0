"""Tests for ``tests.isolation``."""

import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from tests.isolation import clean_environment


class IsolationTests(SynchronousTestCase):
    """Tests for isolating the tests from the machine."""

    def test_environment(self) -> None:
        """Variables that programs need are kept; those that affect minreg are removed."""
        environment = {
            "PATH": "/bin",
            "LC_ALL": "C",
            "COVERAGE_PROCESS_START": "x",
            "http_proxy": "http://proxy.example",
            "DOCKER_CONFIG": "/docker",
            "NO_COLOR": "1",
            "NOTIFY_SOCKET": "/run/notify",
        }
        clean_environment(environment)
        self.assertEqual(set(environment), {"PATH", "LC_ALL", "COVERAGE_PROCESS_START"})

    def test_files(self) -> None:
        """Opening a node's file on this machine is an error."""
        for path in ("/etc/systemd/system/minreg.service", "/etc/rancher/k3s/registries.yaml"):
            self.assertRaises(AssertionError, open, path)
        self.assertRaises(AssertionError, os.listdir, "/var/lib/rancher")

    def test_network(self) -> None:
        """Connecting to another machine, or resolving a name, is an error."""
        with socket.socket() as client:
            self.assertRaises(AssertionError, client.connect, ("192.0.2.1", 9))
        self.assertRaises(AssertionError, socket.getaddrinfo, "registry.example", 443)
        socket.getaddrinfo("127.0.0.1", 443)
