"""Renames images as the ``images`` of a kustomization do.

Source: kustomize, ``types.Image`` and the image transformer. A kustomization changes the files in
its directory and below; what it changes elsewhere is known only after rendering it.
"""

import os
from collections.abc import Iterable, Mapping

import attrs

from minreg.k3s.manifests.documents import Text, Value
from minreg.k3s.manifests.found_images import FoundImage
from minreg.oci.names import Digest, DigestInvalid, ImageReference, NameInvalid, is_tag

_FILES = frozenset({"kustomization.yaml", "kustomization.yml"})
_GROUP = "kustomize.config.k8s.io"


def is_kustomization(file: str, document: Mapping[str, Value]) -> bool:
    """Return whether a document is a kustomization, which may lack its kind."""
    group = str(document.get("apiVersion", "")).partition("/")[0]
    kind = document.get("kind")
    if group == _GROUP:
        return kind in {"Kustomization", "Component"}
    return kind is None and os.path.basename(file) in _FILES


@attrs.frozen
class ImageRename:
    """A change to the name of an image.

    Attributes:
        file: The kustomization. The change applies to the files in its directory, and below.
        old: The old name; its tag does not count.
        new: The new name, with the new tag or digest if there is one.
        tag: The new tag; None to keep the old one.
        digest: The new digest, which replaces the tag.
        text: The text that names the image, which has the line.
    """

    file: str
    old: ImageReference
    new: ImageReference
    tag: str | None
    digest: Digest | None
    text: str

    def apply(self, image: ImageReference) -> ImageReference:
        """Return the image under its new name; the same if this is another image."""
        if (image.host, image.repository) != (self.old.host, self.old.repository):
            return image
        tag, digest = image.tag, image.digest
        if self.tag is not None or self.digest is not None:
            tag, digest = self.tag or "", self.digest
        return attrs.evolve(self.new, tag=tag, digest=digest)

    @property
    def complete(self) -> ImageReference | None:
        """The new name, if it is known without the old one."""
        if self.tag is None and self.digest is None:
            return None
        return attrs.evolve(self.new, tag=self.tag or "", digest=self.digest)

    def applies_to(self, file: str) -> bool:
        """Return whether the change applies to a file."""
        directory = os.path.dirname(self.file)
        if not directory:
            return not os.path.isabs(file) and not file.startswith("..")
        return file.startswith(f"{directory}/")


def read_renames(file: str, kustomization: Mapping[str, Value]) -> list[ImageRename]:
    """Return the changes to the names of images; entries that are invalid are left out."""
    entries = kustomization.get("images")
    renames = []
    for entry in entries if isinstance(entries, list) else ():
        rename = _read_rename(file, entry) if isinstance(entry, dict) else None
        if rename is not None:
            renames.append(rename)
    return renames


def _read_rename(file: str, entry: Mapping[str, Value]) -> ImageRename | None:
    name = entry.get("name")
    new_name = entry.get("newName") or name
    tag, digest = entry.get("newTag"), entry.get("digest")
    if not (isinstance(name, str) and isinstance(new_name, str)):
        return None
    tag = str(tag) if isinstance(tag, str | int | float) and is_tag(str(tag)) else None
    text = next((one for one in (new_name, name) if isinstance(one, Text)), new_name)
    try:
        return ImageRename(
            file,
            ImageReference.parse(name),
            ImageReference.parse(new_name),
            tag,
            Digest.parse(digest) if isinstance(digest, str) else None,
            text,
        )
    except (NameInvalid, DigestInvalid):
        return None


def apply_renames(found: FoundImage, renames: Iterable[ImageRename]) -> FoundImage:
    """Return an image as the kustomizations above its file name it."""
    image = found.image
    for rename in renames:
        if rename.applies_to(found.file):
            image = rename.apply(image)
    if image == found.image:
        return found
    return attrs.evolve(found, image=image, reason=f"{found.reason}, renamed by kustomize")
