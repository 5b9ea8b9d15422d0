"""Tests for ``minreg.store.repository``: referrers, and fallback tags."""

import json
import os

from minreg.oci.names import OCI_INDEX, OCI_MANIFEST, Digest
from minreg.store.index import fallback_tag, referrers_index
from minreg.store.interfaces import ContentInvalid, ContentNotFound
from tests.store_support import ABSENT, StoreTestCase, read
from tests.trees import descriptor, index

NAME = "rancher/pause"


class ReferrersTests(StoreTestCase):
    """Tests for ``TreeRepository.list_referrers`` and the fallback tag."""

    def setUp(self) -> None:
        """Add an image to the tree."""
        super().setUp()
        self.subject = self.tree.add_image(NAME, "3.6")
        self.tag = fallback_tag(self.subject)

    def fingerprint(self, kind: str = "a/b", subject: Digest | None = None) -> dict[str, object]:
        """Return a manifest that refers to the image."""
        refers = descriptor(OCI_MANIFEST, subject or self.subject, 1)
        return self.tree.image(b"signature", artifactType=kind, subject=refers)

    def listed(self) -> list[Digest]:
        """Return the image's referrers."""
        return [found.digest for found in self.find().list_referrers(self.subject)]

    def test_none(self) -> None:
        """A digest without referrers has an empty list, even if it does not exist."""
        self.assertEqual(self.listed(), [])
        self.assertEqual(self.find().list_referrers(ABSENT), [])

    def test_computed(self) -> None:
        """Referrers are found without a list, and returned in a stable order."""
        digests = [self.tree.add_manifest(NAME, self.fingerprint(f"a/{at}")) for at in range(4)]
        self.assertEqual(self.listed(), sorted(digests))
        self.assertEqual(self.find().list_referrers(ABSENT), [])

    def test_tagged(self) -> None:
        """A referrer that is stored only under its tag is listed."""
        written = json.dumps(self.fingerprint()).encode()
        self.tree.write(written, NAME, "manifests", f"{self.tag}.sig")
        self.assertEqual(self.listed(), [Digest.of(written)])

    def test_subject_is_not_here(self) -> None:
        """A referrer may be stored before its subject."""
        digest = self.tree.add_manifest(NAME, self.fingerprint(subject=ABSENT))
        self.assertEqual([found.digest for found in self.find().list_referrers(ABSENT)], [digest])

    def test_synthesised_fallback_tag(self) -> None:
        """Clients that only use the fallback tag get the same list, also by its digest."""
        self.tree.add_manifest(NAME, self.fingerprint())
        content = self.find().open_manifest(self.tag)
        self.assertEqual(content.media_type, OCI_INDEX)
        written = read(content)
        self.assertEqual(written, referrers_index(self.find().list_referrers(self.subject)))
        self.assertEqual(content.digest, Digest.of(written))
        again = self.find().open_manifest(content.digest)
        self.assertEqual((again.digest, read(again)), (content.digest, written))
        self.assertNotIn(self.tag, self.find().list_tags())

    def test_no_fallback_tag(self) -> None:
        """Without referrers, there is no fallback tag."""
        self.refusal(ContentNotFound, self.find().open_manifest, self.tag)

    def test_stored_fallback_tag(self) -> None:
        """A fallback tag that is stored is served unchanged."""
        stored = self.tree.add_manifest(NAME, index([]), self.tag)
        self.tree.add_manifest(NAME, self.fingerprint())
        content = self.find().open_manifest(self.tag)
        content.close()
        self.assertEqual(content.digest, stored)

    def test_merged(self) -> None:
        """Manifests that a stored fallback tag lists are added if they have the subject."""
        here = self.tree.add_manifest(NAME, self.fingerprint())
        misfiled = self.tree.add_blob(json.dumps(self.fingerprint("c/d")).encode())
        other = self.tree.add_blob(json.dumps(self.fingerprint("e/f", ABSENT)).encode())
        plain = self.tree.add_blob(b"no manifest")
        damaged = Digest.of(b"damaged")
        self.tree.write(json.dumps(self.fingerprint("g/h")).encode(), "blobs", str(damaged))
        listed = [here, misfiled, other, plain, damaged, ABSENT, self.subject]
        children = [descriptor(OCI_MANIFEST, digest, 1) for digest in listed]
        self.tree.add_manifest(NAME, index(children), self.tag)
        self.assertEqual(self.listed(), sorted([here, misfiled]))

    def test_misfiled_fallback_tag(self) -> None:
        """The list itself may be in ``blobs``, as the script stores it."""
        misfiled = self.tree.add_blob(json.dumps(self.fingerprint()).encode())
        listed = index([descriptor(OCI_MANIFEST, misfiled, 1)])
        del listed["mediaType"]
        self.tree.add_tag(NAME, self.tag, self.tree.add_blob(json.dumps(listed).encode()))
        self.assertEqual(self.listed(), [misfiled])

    def test_damaged_fallback_tag(self) -> None:
        """An invalid list hides none of the stored referrers."""
        here = self.tree.add_manifest(NAME, self.fingerprint())
        path = self.tree.write(b"no list", NAME, "manifests", self.tag)
        self.assertEqual(self.listed(), [here])
        os.unlink(path)
        os.mkfifo(path)
        self.assertEqual(self.listed(), [here])
        self.refusal(ContentInvalid, self.find().open_manifest, self.tag)

    def test_damaged_referrer(self) -> None:
        """An invalid manifest is not a referrer, and hides no other one."""
        here = self.tree.add_manifest(NAME, self.fingerprint())
        self.tree.write(b"{}", NAME, "manifests", str(ABSENT))
        self.tree.write(b"", NAME, "manifests", "empty")
        self.assertEqual(self.listed(), [here])
