"""Tests for the doctor's rules about settings of endpoints."""

from tests.doctor_support import MIRRORS, RulesTestCase
from tests.nodes import REGISTRIES

_ELSEWHERE = f"""\
{MIRRORS}  quay.io:
    endpoint:
      - "https://registry.example:5000"
"""
_SKIP = "    tls:\n      insecure_skip_verify: true\n"
_USER = "    auth:\n      username: somebody\n"


class ConfigRulesTests(RulesTestCase):
    """Tests for the rules about ``configs``, a golden one for each."""

    def test_rule_config_name(self) -> None:
        """Settings for TLS under a registry's name do not reach its mirror."""
        self.set_registries(f"{_ELSEWHERE}configs:\n  quay.io:\n{_SKIP}")
        self.assert_found(
            (
                "config-name",
                f"{REGISTRIES}:9",
                (
                    "these settings apply to quay.io itself, but its images are pulled from "
                    "registry.example:5000"
                ),
                "move them to registry.example:5000, the host of the endpoint",
            )
        )

    def test_port(self) -> None:
        """A port belongs to the name."""
        self.set_registries(f"{_ELSEWHERE}configs:\n  registry.example:\n{_SKIP}")
        self.assert_found(
            (
                "config-name",
                f"{REGISTRIES}:9",
                (
                    "these settings apply to registry.example, but the endpoint is "
                    "registry.example:5000"
                ),
                "move them to registry.example:5000, the host of the endpoint",
            )
        )

    def test_scheme(self) -> None:
        """A scheme does not."""
        self.set_registries(f"{_ELSEWHERE}configs:\n  https://registry.example:5000:\n{_USER}")
        self.assert_found(
            (
                "config-name",
                f"{REGISTRIES}:9",
                ("https://registry.example:5000 is not a host: these settings apply to nothing"),
                "move them to registry.example:5000, the host of the endpoint",
            )
        )

    def test_names(self) -> None:
        """What is named as it should be, or is for a registry without a mirror, is left alone."""
        for name in ('"registry.example:5000"', "ghcr.io", '"*"'):
            self.set_registries(f"{_ELSEWHERE}configs:\n  {name}:\n{_USER}")
            self.assert_nothing_found()
        self.set_registries(f"{_ELSEWHERE}configs:\n  quay.io:\n")
        self.assert_nothing_found()

    def test_credentials(self) -> None:
        """A registry's own login is for the registry, which K3s has asked for that reason."""
        for settings in (_USER, f"{_USER}{_SKIP}"):
            self.set_registries(f"{_ELSEWHERE}configs:\n  quay.io:\n{settings}")
            self.assert_nothing_found()

    def test_login_stays(self) -> None:
        """No diff gives a login to another, as it does with settings for TLS."""
        for name in ("registry.example", "https://registry.example:5000"):
            for settings, changes in ((_USER, 0), (f"{_USER}{_SKIP}", 0), (_SKIP, 1)):
                self.set_registries(f"{_ELSEWHERE}configs:\n  {name}:\n{settings}")
                (found,) = self.node.diagnose()
                self.assertEqual((found.rule.id, len(found.changes)), ("config-name", changes))

    def test_both(self) -> None:
        """If the mirror has settings of its own, those of the registry are for the registry."""
        self.set_registries(
            f'{_ELSEWHERE}configs:\n  quay.io:\n{_SKIP}  "registry.example:5000":\n{_SKIP}'
        )
        self.assert_nothing_found()

    def test_rule_tls_on_http(self) -> None:
        """Settings for TLS make containerd try TLS on an endpoint that has none."""
        self.set_registries(f'{MIRRORS}configs:\n  "127.0.0.1:9080":\n{_SKIP}')
        self.assert_found(
            (
                "tls-on-http",
                f"{REGISTRIES}:6",
                (
                    "127.0.0.1:9080 is an http endpoint with TLS settings: containerd tries "
                    "https there first, and http only after that has failed"
                ),
                (
                    "remove the tls section, or write https in the endpoint if the server "
                    "supports TLS"
                ),
            )
        )

    def test_port_80(self) -> None:
        """On port 80 it does not, and they do nothing."""
        self.set_registries(
            f"{MIRRORS}  quay.io:\n    endpoint: ['http://a.example:80']\n"
            f'configs:\n  "a.example:80":\n{_SKIP}'
        )
        (found,) = self.node.diagnose()
        self.assertEqual(
            (found.rule.id, found.line, found.problem),
            (
                "tls-on-http",
                8,
                "a.example:80 is an http endpoint with TLS settings: they have no effect",
            ),
        )
