"""Tests for ``tests.isolation``."""

import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from tests.isolation import clean_environment


class IsolationTests(SynchronousTestCase):
    """Tests for what keeps the tests apart from the machine."""

    def test_environment(self) -> None:
        """Variables that programs find their way by stay; those that steer minreg go."""
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
        """A file of a node is not opened on this machine."""
        for path in ("/etc/systemd/system/minreg.service", "/etc/rancher/k3s/registries.yaml"):
            self.assertRaises(AssertionError, open, path)
        self.assertRaises(AssertionError, os.listdir, "/var/lib/rancher")

    def test_network(self) -> None:
        """No other machine is asked, and no name is looked up."""
        with socket.socket() as client:
            self.assertRaises(AssertionError, client.connect, ("192.0.2.1", 9))
        self.assertRaises(AssertionError, socket.getaddrinfo, "registry.example", 443)
        socket.getaddrinfo("127.0.0.1", 443)
