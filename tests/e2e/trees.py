"""Registry trees in the layouts that are in use."""

import os
import shutil

from tests.e2e.images import Image, collect, read_file


class FieldTree:
    """A tree as minimal-registry's script writes it.

    Every blob lies once in ``blobs``, each level of the repositories' names holds a link to
    it, and a tag is a link to a digest beside it.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        os.makedirs(self._path("blobs"))

    def add(self, repository: str, tag: str, image: Image) -> None:
        """Write an image to the tree, under a tag of a repository."""
        manifests = self._path(repository, "manifests")
        os.makedirs(manifests, exist_ok=True)
        for digest, content in image.manifests.items():
            _write(os.path.join(manifests, digest), content)
        self._give_tag(os.path.join(manifests, tag), image)
        for digest, content in image.blobs.items():
            _write(self._path("blobs", digest), content)
        self._give_blobs(repository, image)

    def _give_tag(self, path: str, image: Image) -> None:
        os.symlink(image.top, path)

    def _give_blobs(self, repository: str, image: Image) -> None:
        del image
        level = ""
        for component in repository.split("/"):
            level = os.path.join(level, component)
            link = self._path(level, "blobs")
            if not os.path.lexists(link):
                os.symlink(os.path.join("..", "blobs"), link)

    def _path(self, *names: str) -> str:
        return os.path.join(self.root, *names)


class PlainTagsTree(FieldTree):
    """A tree that was copied without links: tags are copies."""

    def _give_tag(self, path: str, image: Image) -> None:
        _write(path, image.manifests[image.top])


class OwnBlobsTree(FieldTree):
    """A tree in which each repository has its own blobs."""

    def _give_blobs(self, repository: str, image: Image) -> None:
        os.makedirs(self._path(repository, "blobs"), exist_ok=True)
        for digest in image.blobs:
            shutil.move(self._path("blobs", digest), self._path(repository, "blobs", digest))


class HardLinkedTree(FieldTree):
    """A tree in which repositories share blobs by hard links."""

    def _give_blobs(self, repository: str, image: Image) -> None:
        os.makedirs(self._path(repository, "blobs"), exist_ok=True)
        for digest in image.blobs:
            os.link(self._path("blobs", digest), self._path(repository, "blobs", digest))


class ManifestsAmongBlobsTree(FieldTree):
    """A tree in which the script stored documents without ``mediaType`` as blobs.

    It knows manifests by that word, and so takes these for blobs; the tag's link hangs.
    """

    def _give_blobs(self, repository: str, image: Image) -> None:
        super()._give_blobs(repository, image)
        for digest in image.manifests:
            manifest = self._path(repository, "manifests", digest)
            shutil.move(manifest, self._path("blobs", digest))


class BlobsElsewhereTree(FieldTree):
    """A tree in which ``blobs`` is a link to a directory of another name."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        os.rename(self._path("blobs"), self._path("content"))
        os.symlink("content", self._path("blobs"))


def read_tree(root: str, repository: str, tag: str) -> Image:
    """Read an image from a tree."""

    def read(digest: str) -> bytes:
        path = os.path.join(root, repository, "manifests", digest)
        return read_file(path if os.path.exists(path) else os.path.join(root, "blobs", digest))

    return collect(read_file(os.path.join(root, repository, "manifests", tag)), read)


def _write(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
