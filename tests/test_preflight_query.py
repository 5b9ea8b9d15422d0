"""Tests for ``minreg.preflight.query``: the images that a question comes to."""

import os
from typing import Any

from minreg.oci.platforms import Platform, local_platform
from minreg.preflight.query import (
    CannotCheck,
    PreflightQuery,
    QueryInvalid,
    ReleaseUnknown,
    resolve_images,
)
from tests.preflight_support import AMD64, IMAGES, VERSION, required
from tests.store_support import StoreTestCase


def parse(**given: Any) -> PreflightQuery:
    """Parse a query of which only some parts are given."""
    nothing: dict[str, Any] = {
        **dict.fromkeys(("release", "controller", "kubectl", "registry")),
        **dict.fromkeys(("platforms", "disabled"), ()),
        "upgrade": False,
    }
    return PreflightQuery.parse(**{**nothing, **given})


class ParseTests(StoreTestCase):
    """Tests for ``PreflightQuery.parse``."""

    def test_default(self) -> None:
        """By default, the platform is that of this machine."""
        self.assertEqual(parse(release=VERSION).platforms, (local_platform(),))

    def test_platforms(self) -> None:
        """Platforms that are the same are one."""
        asked = parse(platforms=["linux/x86_64", "linux/amd64", "all", "linux/arm"])
        self.assertEqual(asked.platforms, (AMD64, None, Platform("linux", "arm", "v7")))

    def test_invalid(self) -> None:
        """A part that cannot be is named."""
        for given, reason in (
            ({"platforms": ["amd64"]}, "'amd64' is not a platform"),
            ({"disabled": ["x"]}, "'x' is not a component"),
            ({"controller": "x/A:1"}, "'x/A' is not a repository"),
            ({"kubectl": "a@sha256:0"}, "'sha256:0' is not a digest"),
            ({"registry": "https://a"}, "'https://a' is not a registry host"),
        ):
            error = self.assertRaises(QueryInvalid, parse, **given)
            self.assertIn(reason, str(error))


class ResolveImagesTests(StoreTestCase):
    """Tests for ``resolve_images``."""

    def keep(self, content: str, version: str = VERSION) -> None:
        """Keep the list of a release."""
        self.tree.write(content.encode(), "k3s", f"{version}.txt")

    def keep_release(self) -> None:
        """Keep a list as it is published."""
        self.keep("".join(f"docker.io/rancher/{image}\n" for image in IMAGES))

    def names(self, **given: Any) -> list[str]:
        """Return the images of a query."""
        return [str(one.image) for one in resolve_images(self.store, PreflightQuery(**given))]

    def failure(self, **given: Any) -> str:
        """Return the error of a query that cannot be checked."""
        return str(self.assertRaises(CannotCheck, self.names, **given))

    def test_release(self) -> None:
        """A release's images are those of its list, which may be named as a tag names it."""
        self.keep_release()
        known = [f"docker.io/rancher/{image}" for image in IMAGES]
        for release in (VERSION, "v1.33.4-k3s1"):
            self.assertEqual(self.names(release=release), known)

    def test_disabled(self) -> None:
        """Images of disabled components are not required."""
        self.keep_release()
        names = self.names(release=VERSION, disabled=frozenset({"traefik", "servicelb"}))
        self.assertEqual(len(names), len(IMAGES) - 2)

    def test_registry(self) -> None:
        """K3s has its own images from its default registry, and no others."""
        self.keep_release()
        question = PreflightQuery(
            VERSION, upgrade=True, registry="registry.example", more=[required("quay.io/a:1")]
        )
        asked = {one.registry for one in resolve_images(self.store, question)[: len(IMAGES)]}
        others = {one.registry for one in resolve_images(self.store, question)[len(IMAGES) :]}
        self.assertEqual((asked, others), ({"registry.example"}, {"docker.io", "quay.io"}))

    def test_upgrade(self) -> None:
        """An upgrade needs more, but for what is named anyway."""
        self.keep_release()
        names = self.names(
            release="v1.33.4-k3s1", upgrade=True, more=[required("rancher/kubectl:1")]
        )
        self.assertEqual(
            names[len(IMAGES) :],
            [
                "docker.io/rancher/k3s-upgrade:v1.33.4-k3s1",
                "docker.io/rancher/system-upgrade-controller:v0.20.1",
                "docker.io/rancher/kubectl:1",
            ],
        )

    def test_once(self) -> None:
        """An image with several reasons is required once, for the first one."""
        self.keep_release()
        more = [required(f"rancher/{IMAGES[0]}"), required("a:1"), required("a:1")]
        found = resolve_images(self.store, PreflightQuery(VERSION, more=more))
        self.assertEqual(len(found), len(IMAGES) + 1)
        self.assertEqual([found[0].reason, found[-1].reason], [f"K3s {VERSION}", "a test"])

    def test_unknown(self) -> None:
        """A release without an image list is an error that names the releases with one."""
        self.assertEqual(
            self.failure(release=VERSION),
            "the tree has no image list of K3s 'v1.33.4+k3s1': it has none of any release; "
            "run minreg download --version, or copy the release's k3s-images.txt into "
            "the tree as k3s/VERSION.txt",
        )
        self.keep_release()
        for name in ("v1.33.5+k3s1", "stable", "../x", "\x1b[2J"):
            self.assertIn(f"it has those of {VERSION};", self.failure(release=name))
            self.assertTrue(self.failure(release=name).isprintable())
        for number in range(20):
            self.keep("a", f"v1.40.{number}+k3s1")
        self.assertIn(" and 11 more; ", self.failure(release="stable"))
        self.assertRaises(ReleaseUnknown, self.names, release="stable")

    def test_byte_order_mark(self) -> None:
        """A list that an editor on Windows saved is read."""
        self.keep("\ufeffdocker.io/rancher/a:1\r\n")
        self.assertEqual(self.names(release=VERSION), ["docker.io/rancher/a:1"])

    def test_not_utf_8(self) -> None:
        """A list in UTF-16 is named as such."""
        self.tree.write("a:1".encode("utf-16"), "k3s", f"{VERSION}.txt")
        self.assertIn(f"k3s/{VERSION}.txt is in UTF-16", self.failure(release=VERSION))

    def test_broken_list(self) -> None:
        """A malformed list is an error that names the line."""
        for content, reason in (
            ("a:1\n<html>\n<body>\n", f"k3s/{VERSION}.txt:2: '<html>' is not an image name"),
            ("\x00", f"k3s/{VERSION}.txt:1: "),
            ("", "is empty: copy it again"),
            ("a:1\n" * 5001, "names more than 5000 images"),
            ("# nothing\n", "the query names no image: nothing was checked"),
        ):
            self.keep(content)
            failure = self.failure(release=VERSION)
            self.assertIn(reason, failure)
            self.assertEqual(failure.count("\n"), 0)

    def test_link_out(self) -> None:
        """So is a list outside of the root."""
        os.symlink("/etc", self.tree.path("k3s"))
        self.assertIn("leads out of the root", self.failure(release=VERSION))

    def test_nothing(self) -> None:
        """Nothing that is named is not all that is there."""
        self.assertIn("nothing was checked", self.failure())
