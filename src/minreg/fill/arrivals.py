"""Ends each image when the last of its blobs has come, or been given up."""

from minreg.fill.claims import Outcome
from minreg.fill.events import ImageEnded, Show
from minreg.fill.failures import FillFailure
from minreg.fill.plan import Plan
from minreg.fill.resolve import Resolved
from minreg.fill.tree.origins import record_origin
from minreg.fill.tree.writer import TreeWriter
from minreg.names import Digest


class Arrivals:
    """The images of a plan that wait for blobs.

    Args:
        plan: The images, and the blobs that are missing.
        tree: Where the images are written once their blobs are there.
        show: Told of each image that ends.
    """

    def __init__(self, plan: Plan, tree: TreeWriter, show: Show) -> None:
        self._tree = tree
        self._show = show
        self._awaited: dict[int, set[Digest]] = {}
        self._reasons: dict[int, str] = {}
        self.failed = [str(image) for image in plan.failures]
        """The images that are not in the tree."""
        self._missing = plan.missing
        for missing in plan.missing.values():
            for claim in missing.claims:
                self._awaited.setdefault(id(claim.image), set()).add(missing.digest)
        self._ready = [image for image in plan.images if id(image) not in self._awaited]

    def end_ready(self) -> None:
        """End the images that wait for nothing."""
        for image in self._ready:
            self._end(image, had_blobs_to_come=False)

    def arrive(self, digest: Digest, outcome: Outcome) -> None:
        """Note what became of a missing blob."""
        for claim in self._missing[digest].claims:
            image = claim.image
            awaited = self._awaited[id(image)]
            awaited.discard(digest)
            reason = outcome.reason_for(claim)
            if reason:
                self._reasons.setdefault(id(image), reason)
            if not awaited:
                self._end(image, had_blobs_to_come=True)

    def _end(self, image: Resolved, *, had_blobs_to_come: bool) -> None:
        is_new = False
        reason = self._reasons.get(id(image), "")
        if not reason:
            try:
                is_new = add_image(image, self._tree) or had_blobs_to_come
            except FillFailure as failure:
                reason = str(failure)
        if reason:
            self.failed.append(str(image.image))
        self._show(ImageEnded(str(image.image), is_new=is_new, reason=reason))


def add_image(image: Resolved, tree: TreeWriter) -> bool:
    """Write an image whose blobs are there, and tell whether that changed anything.

    Children come before parents and the tags last, so that a tag never lacks anything.
    """
    known = tree.contents.read_manifest(image.place, image.image.tag or image.root)
    for blob in image.blobs:
        tree.link_blob(image.place, blob.digest, blob.size)
    for document in image.documents:
        tree.write_manifest(image.place, document.content, document.digest.algorithm)
    record_origin(tree, image.place, image.image)
    changed = [tree.tag(image.place, tag, digest) for tag, digest in image.tags]
    return any(changed) or known is None
