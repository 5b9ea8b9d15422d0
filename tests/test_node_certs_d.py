"""Tests for ``minreg.k3s.registries.certs_d``: K3s' own cases, and some more."""

from collections.abc import Mapping, Sequence

from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.registries.certs_d import CertsD, Embedded, HostEntry, make_certs_d
from minreg.k3s.registries.registries_yaml import read_registries

HUB = "https://registry-1.docker.io/v2"
EMBEDDED = "https://127.0.0.1:6443/v2"
EXAMPLE = "https://registry.example.com/v2"
LOGIN = "\nconfigs: {registry.example.com: {auth: {username: u, password: p}}}"
MIRROR_WITH_LOGIN = "mirrors: {docker.io: {endpoint: [https://registry.example.com/v2]}}" + LOGIN

# What is compared: of each file, the address of the registry itself and those of the endpoints.
Shape = tuple[str | None, Sequence[str]]


def read(text: str, **settings: object) -> CertsD:
    """Make the directory from a file that has nothing wrong with it."""
    registries, problems = read_registries(text.encode())
    assert not problems, problems
    return make_certs_d(registries, **settings)  # type: ignore[arg-type] # as they are named


def mirror(*endpoints: str, name: str = "docker.io") -> str:
    """Write a file with one mirror."""
    return f"mirrors: {{'{name}': {{endpoint: [{', '.join(endpoints)}]}}}}"


class MakeCertsDTests(SynchronousTestCase):
    """Tests for ``make_certs_d``."""

    def assert_files(self, text: str, expected: Mapping[str, Shape], **settings: object) -> None:
        """Compare the files' addresses."""
        shapes = {
            name: (file.default and file.default.url, [str(entry.url) for entry in file.endpoints])
            for name, file in read(text, **settings).files.items()
        }
        self.assertEqual(shapes, expected, text)

    def test_nothing_to_say(self) -> None:
        """A registry that is asked as it would be anyway needs no file."""
        for text in (
            "",
            "mirrors: {docker.io: }",
            "mirrors: {docker.io: {endpoint: [docker.io]}}",
            "mirrors: {registry.example.com: }",
            "mirrors: {'*': }",
            "mirrors: {localhost: , 'localhost:443': , 'localhost:5000': , 'localhost:80': }",
            "configs: {docker.io: }",
        ):
            self.assert_files(text, {})

    def test_endpoints(self) -> None:
        """An endpoint becomes a URL, however much of one it was."""
        for written, url in (
            ("https://registry.example.com/prefix/v2", "https://registry.example.com/prefix/v2"),
            ("registry.example.com/prefix/v2", "https://registry.example.com/prefix/v2"),
            ("registry.example.com/v2", EXAMPLE),
            ("https://registry.example.com/v2", EXAMPLE),
            ("https://registry.example.com", EXAMPLE),
            ("https://registry.example.com/", EXAMPLE),
            ("registry.example.com", EXAMPLE),
            ("registry.example.com:443", "https://registry.example.com:443/v2"),
            ("1.2.3.4", "https://1.2.3.4/v2"),
            ("1.2.3.4:443", "https://1.2.3.4:443/v2"),
            ("localhost:5000", "http://localhost:5000/v2"),
            ("https://localhost:5000", "https://localhost:5000/v2"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000/v2"),
            ("https://127.0.0.1:5000", "https://127.0.0.1:5000/v2"),
            ("http://127.0.0.1:9080", "http://127.0.0.1:9080/v2"),
        ):
            self.assert_files(mirror(written), {"docker.io": (HUB, [url])})

    def test_duplicates(self) -> None:
        """A second spelling of an endpoint is ignored, and so is an invalid endpoint."""
        certs = read(
            mirror(
                "registry.example.com",
                "https://registry.example.com",
                "'https://registry.example.com:port'",
                "https://registry.example.org",
                "https://registry.example.com/v2",
            )
        )
        (file,) = certs.files.values()
        self.assertEqual(
            [entry.url for entry in file.endpoints], [EXAMPLE, "https://registry.example.org/v2"]
        )
        self.assertEqual(
            [ignored.source.text for ignored in certs.ignored],
            [
                "https://registry.example.com",
                "https://registry.example.com:port",
                "https://registry.example.com/v2",
            ],
        )

    def test_no_registry(self) -> None:
        """A name that is no registry's is left out, with all that it has."""
        certs = read("mirrors: {a b: {endpoint: [c]}}\nconfigs: {d e: {tls: {}}}")
        self.assertEqual(certs.files, {})
        self.assertEqual([ignored.source.text for ignored in certs.ignored], ["d e", "a b"])

    def test_login(self) -> None:
        """A registry with a login gets a file; an endpoint has the login of its own name."""
        itself: dict[str, Shape] = {"registry.example.com": (EXAMPLE, [])}
        self.assert_files(LOGIN, itself)
        self.assert_files(f"mirrors: {{registry.example.com: }}{LOGIN}", itself)
        self.assert_files(MIRROR_WITH_LOGIN, {**itself, "docker.io": (HUB, [EXAMPLE])})
        (entry,) = read(MIRROR_WITH_LOGIN).files["docker.io"].endpoints
        assert entry.auth is not None
        self.assertEqual((entry.auth.username.text, entry.auth.password.text), ("u", "p"))

    def test_docker_hub_login(self) -> None:
        """The Docker Hub's login is found under its name, or before that under its API's."""
        for other, username in (("example.com", "a"), ("registry-1.docker.io", "b")):
            text = (
                "mirrors: {quay.io: {endpoint: [docker.io]}}\n"
                f"configs: {{docker.io: {{auth: {{username: a}}}}, "
                f"{other}: {{auth: {{username: b}}}}}}"
            )
            (entry,) = read(text).files["quay.io"].endpoints
            assert entry.auth is not None
            self.assertEqual(entry.auth.username.text, username)

    def test_override_path(self) -> None:
        """A path of its own, on a registry's own host: a mirror as any other."""
        text = mirror("https://registry.example.com/project", name="registry.example.com")
        self.assert_files(
            text,
            {"registry.example.com": (EXAMPLE, ["https://registry.example.com/project"])},
        )
        (entry,) = read(text).files["registry.example.com"].endpoints
        self.assertTrue(entry.overrides_path)

    def test_without_default(self) -> None:
        """A mirror loses the registry itself, unless ``configs`` has an entry for the name."""
        itself: dict[str, Shape] = {"registry.example.com": (EXAMPLE, [])}
        self.assert_files(
            MIRROR_WITH_LOGIN, {**itself, "docker.io": (None, [EXAMPLE])}, without_default=True
        )
        text = mirror("https://1.2.3.4", name="registry.example.com") + LOGIN
        self.assert_files(
            text,
            {"registry.example.com": (EXAMPLE, ["https://1.2.3.4/v2"])},
            without_default=True,
        )

    def test_explicit_default(self) -> None:
        """The registry's own address, last in the list, is no mirror; else it stays one."""
        text = mirror("registry.example.com", "registry.example.org", "docker.io")
        both = [EXAMPLE, "https://registry.example.org/v2"]
        self.assert_files(text, {"docker.io": (HUB, both)})
        self.assert_files(text, {"docker.io": (None, [*both, HUB])}, without_default=True)
        self.assert_files(
            mirror("docker.io", "registry.example.com"), {"docker.io": (HUB, [HUB, EXAMPLE])}
        )

    def test_wildcard(self) -> None:
        """An asterisk is for all that have no entry; the registry itself has no address yet."""
        text = mirror("https://registry.example.com/v2", name="*")
        self.assert_files(text, {"_default": ("", [EXAMPLE])})
        self.assert_files(text, {"_default": (None, [EXAMPLE])}, without_default=True)

    def test_wildcard_config(self) -> None:
        """Settings for all registries leave each its address; endpoints do not have them."""
        settings = "configs: {'*': {tls: {insecure_skip_verify: true}}}"
        self.assert_files(settings, {"_default": (None, [])})
        certs = read(f"{mirror('https://1.2.3.4')}\n{settings}")
        (entry,) = certs.files["docker.io"].endpoints
        self.assertIsNone(entry.tls)

    def test_local_registry(self) -> None:
        """A registry of this machine on an odd port is spoken to without TLS by default."""
        text = (
            mirror("https://localhost:5000", name="localhost:5000")
            + "\nconfigs: {'localhost:5000': {tls: {insecure_skip_verify: true}}}"
        )
        self.assert_files(
            text,
            {"localhost:5000": ("http://localhost:5000/v2", ["https://localhost:5000/v2"])},
        )

    def test_rewrites(self) -> None:
        """Each endpoint gets the rewrites; the registry itself and the embedded one do not."""
        text = (
            "mirrors: {docker.io: {endpoint: [1.2.3.4, 1.2.3.5, docker.io], rewrite: {^a/: b/}}}"
        )
        file = read(text, embedded=Embedded()).files["docker.io"]
        assert file.default is not None
        written = [bool(entry.rewrites) for entry in file.endpoints]
        self.assertEqual(written, [False, True, True])
        self.assertNotIn('registry-1.docker.io/v2".rewrite', file.render())

    def test_source(self) -> None:
        """Each entry knows the words that it was made of."""
        text = "mirrors:\n  docker.io:\n    endpoint:\n    - 1.2.3.4\n"
        (entry,) = read(text).files["docker.io"].endpoints
        self.assertEqual((entry.source.text, entry.source.position.line), ("1.2.3.4", 4))


class EmbeddedTests(SynchronousTestCase):
    """Tests for K3s' embedded registry."""

    def test_first(self) -> None:
        """It comes before all endpoints, but for registries of this machine."""
        text = (
            "mirrors: {docker.io: , 'localhost:5000': , "
            "'*': {endpoint: [https://registry.example.com]}}"
        )
        files = read(text, embedded=Embedded()).files
        urls = {name: [entry.url for entry in file.endpoints] for name, file in files.items()}
        self.assertEqual(
            urls,
            {"docker.io": [EMBEDDED], "_default": [EMBEDDED, EXAMPLE], "127.0.0.1:6443": []},
        )

    def test_certificates(self) -> None:
        """It is spoken to with K3s' certificates, and has an entry of its own."""
        files = read("mirrors: {docker.io: }", embedded=Embedded(agent="/agent")).files
        tls = Embedded(agent="/agent").tls
        self.assertEqual(
            files["127.0.0.1:6443"].default,
            HostEntry(url=EMBEDDED, tls=tls),
        )
        self.assertEqual(files["docker.io"].endpoints, (HostEntry(url=EMBEDDED, tls=tls),))
        self.assertEqual(tls.ca_file.text, "/agent/server-ca.crt")
