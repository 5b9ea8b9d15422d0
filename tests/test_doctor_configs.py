"""Tests for the doctor's rules about settings of endpoints."""

from tests.doctor_support import MIRRORS, RulesTestCase
from tests.nodes import CONFIG, REGISTRIES

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
        for name in ('"registry.example:5000"', "ghcr.io"):
            self.set_registries(f"{_ELSEWHERE}configs:\n  {name}:\n{_USER}")
            self.assert_nothing_found()
        self.set_registries(f"{_ELSEWHERE}configs:\n  quay.io:\n")
        self.assert_nothing_found()

    def test_case(self) -> None:
        """K3s compares hosts letter by letter."""
        self.set_registries(f"{_ELSEWHERE}configs:\n  Registry.example:5000:\n{_USER}")
        (found,) = self.node.diagnose()
        self.assertEqual(found.rule.id, "config-name")
        self.assertEqual(
            found.problem,
            "these settings apply to Registry.example:5000, but the endpoint is "
            "registry.example:5000",
        )

    def test_rule_login_name(self) -> None:
        """k3s-io/k3s#11185: a login under a registry's name is not sent to its mirror."""
        for settings in (_USER, f"{_USER}{_SKIP}"):
            self.set_registries(f"{_ELSEWHERE}configs:\n  quay.io:\n{settings}")
            self.assert_found(
                (
                    "login-name",
                    f"{REGISTRIES}:9",
                    (
                        "this login is sent to quay.io only, and its images are pulled from "
                        "registry.example:5000; because of it, quay.io is asked although default "
                        "endpoints are disabled"
                    ),
                    (
                        "move it to registry.example:5000, the host of the endpoint, unless it "
                        "is for quay.io itself"
                    ),
                )
            )

    def test_wildcard(self) -> None:
        """k3s-io/k3s#11352: a login for all registries is sent to none."""
        problem = "containerd looks up logins by host: one for * is not sent to any registry"
        self.set_registries(f'{MIRRORS}configs:\n  "*":\n{_USER}')
        fix = "move it to the hosts that need it"
        self.assert_found(("login-name", f"{REGISTRIES}:6", problem, fix))
        endpoint = "    endpoint: ['https://a.example:5000']\n"
        self.set_registries(f'{MIRRORS}  "*":\n{endpoint}configs:\n  "*":\n{_USER}')
        fix = "move it to a.example:5000"
        self.assert_found(("login-name", f"{REGISTRIES}:8", problem, fix))

    def test_rule_login_invalid(self) -> None:
        """k3s-io/k3s#12438: auth is a user name and a password in Base64, and not a token."""
        self.set_registries(f"{MIRRORS}configs:\n  quay.io:\n    auth:\n      auth: token_xxx\n")
        self.assert_found(
            (
                "login-invalid",
                f"{REGISTRIES}:8",
                "the auth of quay.io is not USER:PASSWORD in Base64: each pull fails",
                "write username and password instead",
            )
        )

    def test_login_forms(self) -> None:
        """A user name or an identity token has precedence over auth."""
        for auth, is_valid in (
            ("{auth: dTpw}", True),
            ("{auth: dXA=}", False),
            ("{auth: dTpw, username: u}", True),
            ("{auth: x, username: u}", True),
            ("{auth: x, identity_token: t}", True),
            ("{auth: dTpwcA}", False),
            ("{auth: é}", False),
            ("{auth: }", True),
            ("{}", True),
        ):
            self.set_registries(f"{MIRRORS}configs:\n  quay.io: {{auth: {auth}}}\n")
            rules = [found.rule.id for found in self.node.diagnose()]
            self.assertEqual(rules, [] if is_valid else ["login-invalid"], auth)

    def test_logins(self) -> None:
        """A login is right if the endpoint has one too, or is the registry, or is minreg."""
        own = f'  "registry.example:5000":\n{_USER}'
        for registries in (
            f"{_ELSEWHERE}configs:\n  quay.io:\n{_USER}{own}",
            (
                f"{MIRRORS}  quay.io:\n    endpoint: [https://quay.io/v2/]\n"
                f"configs:\n  quay.io:\n{_USER}"
            ),
            (
                f"{MIRRORS}  quay.io:\n    endpoint: [http://127.0.0.1:9080]\n"
                f"configs:\n  quay.io:\n{_USER}"
            ),
            f"{MIRRORS}  quay.io:\nconfigs:\n  quay.io:\n{_USER}",
        ):
            self.set_registries(registries)
            self.assert_nothing_found()

    def test_default_endpoint(self) -> None:
        """If default endpoints are enabled, the registry is asked anyway."""
        self.node.write(CONFIG, "system-default-registry: bootstrap-registry.airgap\n")
        self.set_registries(f"{_ELSEWHERE}configs:\n  quay.io:\n{_USER}")
        (found,) = (one for one in self.node.diagnose() if one.rule.id == "login-name")
        self.assertTrue(found.problem.endswith("pulled from registry.example:5000"))

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
