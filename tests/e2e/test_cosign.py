"""Signatures of cosign 3 are downloaded with their image, and cosign finds them in the tree."""

import json
import os
import sys

from tests.e2e.containerd import NO_WAY_OUT
from tests.e2e.programs import ProgramFailed, run
from tests.e2e.real_registry import Layout, start_registry
from tests.e2e.support import EndToEndTestCase

# The type of the statement that cosign makes for a signature.
SIGNATURE = "https://sigstore.dev/cosign/sign/v1"


class SignatureTests(EndToEndTestCase):
    """Tests for an image that is signed with a key, without any service of the Internet."""

    def setUp(self) -> None:
        """Push an image to an upstream registry, sign it, and download it."""
        self.need_programs("cosign", "docker-registry", "skopeo")
        self.directory = self.make_directory()
        upstream = start_registry(os.path.join(self.directory, "upstream"))
        self.addCleanup(upstream.stop)
        layout = Layout(os.path.join(self.directory, "layout"))
        layout.name(layout.write_image("amd64", [b"layer"]))
        upstream.push(layout.directory, "a/b:1")
        # skopeo compresses the layer, which changes the digest.
        inspect = ("skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}")
        self.digest = run(*inspect, f"docker://{upstream.host}/a/b:1").strip()
        self.make_keys("cosign")
        self.make_keys("other")
        # By default, cosign asks the Internet which services sign and keep a log.
        settings = os.path.join(self.directory, "signing-config.json")
        self.cosign("signing-config", "create", "--out", settings)
        sign = ("sign", "--yes", "--allow-http-registry", "--signing-config", settings)
        self.cosign(*sign, "--key", self.key("cosign.key"), f"{upstream.host}/a/b@{self.digest}")
        self.root = os.path.join(self.directory, "registry")
        download = (sys.executable, "-m", "minreg", "download", "-s")
        run(*download, "-d", self.root, f"{upstream.host}/a/b:1")
        self.registry = self.start_daemon(self.root).registry

    def key(self, name: str) -> str:
        """Return the path of a key."""
        return os.path.join(self.directory, name)

    def make_keys(self, name: str) -> None:
        """Make a pair of keys without a password."""
        self.cosign("generate-key-pair", "--output-key-prefix", self.key(name))

    def cosign(self, *arguments: str) -> str:
        """Run cosign, and return what it prints."""
        home = {"HOME": self.directory, "COSIGN_PASSWORD": ""}
        return run("cosign", *arguments, environment={**NO_WAY_OUT, **home})

    def verify(self, key: str) -> str:
        """Verify the image in the tree, by its tag."""
        verify = ("verify", "--allow-http-registry", "--insecure-ignore-tlog", "--key")
        return self.cosign(*verify, self.key(key), f"{self.registry}/a/b:1")

    def test_verify(self) -> None:
        """The signature is good for its key, and for no other."""
        (payload,) = json.loads(self.verify("cosign.pub"))
        self.assertEqual(payload["critical"]["image"]["docker-manifest-digest"], self.digest)
        self.assertRaises(ProgramFailed, self.verify, "other.pub")

    def test_tree(self) -> None:
        """``cosign tree`` finds the signature as a referrer."""
        listed = self.cosign("tree", "--allow-http-registry", f"{self.registry}/a/b:1")
        self.assertIn(f"{SIGNATURE} artifacts via OCI referrer", listed)
