"""Tests for ``minreg.store.tree``: which repositories may answer a request, as tables."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.oci.names import is_host, parse_host
from minreg.store.tree import candidates, upstream_of

ALIASES = {"bootstrap-registry.airgap": "docker.io"}
PARTS = st.sampled_from(
    ["rancher", "pause", "docker.io", "index.docker.io", "quay.io", "library", "a.b", "localhost"]
)
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
HOSTS = st.sampled_from(["docker.io", "quay.io", "a.b", "localhost", "rancher", "quay.io:5000"])


class CandidatesTests(SynchronousTestCase):
    """Tests for ``candidates``."""

    def assert_order(self, namespace: str | None, name: str, *expected: str) -> None:
        """Compare the candidates with the expected ones; ``!`` marks those chosen by ns."""
        found = [
            ("!" if candidate.by_namespace else "") + candidate.path
            for candidate in candidates(namespace, name, ALIASES)
        ]
        self.assertEqual(found, list(expected))

    def test_without_namespace(self) -> None:
        """Without a namespace, the name itself is tried first, and then the alias's host."""
        self.assert_order(None, "rancher/pause", "rancher/pause", "docker.io/rancher/pause")

    def test_short_name_without_namespace(self) -> None:
        """A short name is one of Docker Hub only if Docker Hub is meant."""
        self.assert_order(
            None, "busybox", "busybox", "docker.io/library/busybox", "docker.io/busybox"
        )

    def test_host_in_path(self) -> None:
        """A path may begin with its host, in any spelling."""
        self.assert_order(
            None,
            "docker.io/library/busybox",
            "docker.io/library/busybox",
            "docker.io/docker.io/library/busybox",
        )
        self.assert_order(
            None,
            "index.docker.io/busybox",
            "docker.io/library/busybox",
            "docker.io/busybox",
            "index.docker.io/busybox",
            "docker.io/index.docker.io/busybox",
        )
        self.assert_order(
            None,
            "registry.k8s.io/pause",
            "registry.k8s.io/pause",
            "docker.io/registry.k8s.io/pause",
        )

    def test_namespace(self) -> None:
        """A path with the host comes first, then one without."""
        self.assert_order("quay.io", "app/web", "!quay.io/app/web", "app/web")

    def test_docker_hub(self) -> None:
        """``library/`` is prepended to a short name of Docker Hub."""
        self.assert_order(
            "docker.io",
            "busybox",
            "!docker.io/library/busybox",
            "!docker.io/busybox",
            "library/busybox",
            "busybox",
        )
        self.assert_order(
            "docker.io", "library/busybox", "!docker.io/library/busybox", "library/busybox"
        )

    def test_no_library_elsewhere(self) -> None:
        """A short name of any other registry is unchanged."""
        self.assert_order("registry.k8s.io", "pause", "!registry.k8s.io/pause", "pause")

    def test_alias(self) -> None:
        """For an alias, its own name comes first, then the registry that it stands for."""
        self.assert_order(
            "bootstrap-registry.airgap",
            "rancher/pause",
            "!bootstrap-registry.airgap/rancher/pause",
            "!docker.io/rancher/pause",
            "rancher/pause",
        )
        self.assert_order(
            "bootstrap-registry.airgap",
            "busybox",
            "!bootstrap-registry.airgap/busybox",
            "!docker.io/library/busybox",
            "!docker.io/busybox",
            "library/busybox",
            "busybox",
        )

    def test_alias_without_dots(self) -> None:
        """An alias need not look like a host, and is then never used as a directory."""
        found = list(candidates("hub", "rancher/pause", {"hub": "docker.io"}))
        self.assertEqual(
            [place.path for place in found], ["docker.io/rancher/pause", "rancher/pause"]
        )

    def test_other_host_in_path(self) -> None:
        """Content that is stored under one host's name is never served for another host."""
        self.assert_order("quay.io", "docker.io/app/web", "!quay.io/docker.io/app/web")
        self.assert_order("docker.io", "quay.io/app/web", "!docker.io/quay.io/app/web")

    def test_same_host_in_path(self) -> None:
        """If ns and the path name the same host, it is used once."""
        self.assert_order(
            "docker.io",
            "index.docker.io/rancher/pause",
            "!docker.io/index.docker.io/rancher/pause",
            "docker.io/rancher/pause",
            "index.docker.io/rancher/pause",
        )

    def test_alias_with_host_in_path(self) -> None:
        """For a request with the registry's own name, any host in the path is used."""
        self.assert_order(
            "bootstrap-registry.airgap",
            "quay.io/app/web",
            "!bootstrap-registry.airgap/quay.io/app/web",
            "!docker.io/quay.io/app/web",
            "quay.io/app/web",
        )

    def test_namespace_that_is_no_host(self) -> None:
        """A word in ns does not lead to a directory of that name."""
        self.assert_order("rancher", "pause", "pause")

    def test_port(self) -> None:
        """A registry on another port is another registry."""
        self.assert_order("quay.io:5000", "app/web", "!quay.io:5000/app/web", "app/web")

    def test_no_place_twice(self) -> None:
        """No path is returned twice."""
        for namespace in (None, "docker.io", "quay.io", "bootstrap-registry.airgap"):
            for name in ("busybox", "docker.io/busybox", "docker.io/library/busybox"):
                paths = [place.path for place in candidates(namespace, name, ALIASES)]
                self.assertEqual(len(paths), len(set(paths)), paths)

    @settings(deadline=None, database=None)
    @given(HOSTS, NAMES)
    def test_closed_world(self, namespace: str, name: str) -> None:
        """No namespace ever leads to content that is stored under another host's name."""
        for candidate in candidates(namespace, name, {}):
            first, _, rest = candidate.path.partition("/")
            if rest and is_host(first):
                self.assertEqual(parse_host(first), namespace)
            if candidate.by_namespace:
                self.assertTrue(candidate.path.startswith(f"{namespace}/"))

    @settings(deadline=None, database=None)
    @given(st.one_of(st.none(), HOSTS), NAMES)
    def test_name_is_kept(self, namespace: str | None, name: str) -> None:
        """Each candidate ends with the name that the client requested."""
        for candidate in candidates(namespace, name, ALIASES):
            self.assertTrue(f"/{candidate.path}".endswith(f"/{name.rpartition('/')[2]}"))
            self.assertNotIn("..", candidate.path.split("/"))


class UpstreamOfTests(SynchronousTestCase):
    """Tests for ``upstream_of``."""

    def test_table(self) -> None:
        """The most likely registry is returned, and the repository's name there."""
        for (namespace, name), expected in {
            ("quay.io", "a/b"): ("quay.io", "a/b"),
            ("docker.io", "busybox"): ("docker.io", "library/busybox"),
            ("quay.io", "busybox"): ("quay.io", "busybox"),
            ("bootstrap-registry.airgap", "rancher/pause"): ("docker.io", "rancher/pause"),
            ("bootstrap-registry.airgap", "quay.io/a"): ("quay.io", "a"),
            ("quay.io", "ghcr.io/a"): ("quay.io", "ghcr.io/a"),
            ("quay.io", "quay.io/a"): ("quay.io", "a"),
            (None, "quay.io/a"): ("quay.io", "a"),
            (None, "index.docker.io/a"): ("docker.io", "library/a"),
            (None, "a"): ("docker.io", "library/a"),
        }.items():
            self.assertEqual(upstream_of(namespace, name, ALIASES), expected, name)
        self.assertEqual(upstream_of(None, "a/b", {}), ("docker.io", "a/b"))
        self.assertEqual(upstream_of(None, "a/b", {"x": "quay.io"}), ("quay.io", "a/b"))

    @given(st.none() | HOSTS.filter(is_host), NAMES)
    def test_would_be_found(self, namespace: str | None, name: str) -> None:
        """An image that is stored under the returned name answers the same request."""
        host, repository = upstream_of(namespace, name, ALIASES)
        kept = {candidate.path for candidate in candidates(namespace, name, ALIASES)}
        self.assertTrue(kept & {f"{host}/{repository}", repository}, (host, repository, kept))
