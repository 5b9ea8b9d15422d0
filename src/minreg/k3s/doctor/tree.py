"""The registry tree of a node, looked at as the registry looks at it."""

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import attrs

from minreg.k3s.doctor.files import NodeFiles
from minreg.k3s.doctor.registry_service import InstalledRegistry
from minreg.oci.names import Digest, NameInvalid, parse_host
from minreg.preflight.query import CannotCheck, PreflightQuery, RequiredImage, resolve_images
from minreg.store.images import StoredImage, inspect_image
from minreg.store.interfaces import (
    ContentInvalid,
    ContentNotFound,
    RepositoryNotFound,
    StoreUnavailable,
)
from minreg.store.tree import RegistryTree, release_path

_MOST_IMAGES = 20_000
_MOST_ENTRIES = 50_000
_EXAMPLES = 3
_OTHERS_MAY_READ = stat.S_IROTH
_OTHERS_MAY_ENTER = stat.S_IROTH | stat.S_IXOTH


@attrs.frozen
class Served:
    """What the tree has for a request: a manifest or an index, and its bytes."""

    place: str
    digest: Digest
    size: int


@attrs.frozen
class Tree:
    """A tree as it lies there.

    ``root`` is its path on the node. ``repositories`` are the places of repositories, and
    ``images`` what their tags name. ``closed`` are paths that a user who owns nothing may not
    read, the first few of them. ``troubles`` are the repositories that cannot be served, each with
    the reason and what to do. ``release`` is the newest of K3s of which the tree keeps the
    list, and ``release_images`` are the images on it.
    """

    root: str
    repositories: Sequence[str]
    images: Sequence[StoredImage]
    closed: Sequence[str] = ()
    troubles: Mapping[str, str] = attrs.field(factory=dict)
    release: str = ""
    release_images: Sequence[RequiredImage] = ()
    _store: RegistryTree | None = None

    def find(self, namespace: str | None, name: str, reference: str | Digest) -> Served | None:
        """Look up what the registry would answer to a request.

        Args:
            namespace: The value of ``ns``, if it is sent.
            name: The repository in the request's path.
            reference: A tag or a digest.
        """
        if self._store is None:
            return None
        try:
            host = parse_host(namespace) if namespace is not None else None
            repository = self._store.find_repository(host, name)
            content = repository.open_manifest(reference)
        except (RepositoryNotFound, ContentNotFound, StoreUnavailable, NameInvalid):
            return None
        content.close()
        return Served(repository.name, content.digest, content.size)


def inspect_tree(files: NodeFiles, registry: InstalledRegistry) -> Tree | None:
    """Look at a tree; None if there is no directory, or none that this user may read."""
    root = registry.root
    if not files.is_directory(root):
        return None
    place = files.locate(root)
    links = [files.locate(path) for path in registry.links if files.is_directory(path)]
    store = RegistryTree(place, registry.aliases, links)
    troubles: dict[str, str] = {}
    images: list[StoredImage] = []
    repositories: list[str] = []
    release, release_images = "", []
    try:
        for name in store.iterate_repositories(""):
            repositories.append(name)
            try:
                images += _look_at_images(files, store, name)
            except ContentInvalid as error:
                troubles[name] = files.as_on_node(str(error))
            if len(images) > _MOST_IMAGES:
                break
        release = max(store.list_releases(), key=_version, default="")
        release_images = resolve_images(store, PreflightQuery(release)) if release else []
    except CannotCheck as error:
        files.unread[f"{root}/{release_path(release)}"] = files.as_on_node(str(error))
    except (StoreUnavailable, ContentInvalid) as error:
        files.unread[root] = files.as_on_node(str(error))
        if not repositories:
            return None
    closed = _find_closed(place, root)
    return Tree(root, repositories, images, closed, troubles, release, release_images, store)


def _look_at_images(files: NodeFiles, store: RegistryTree, name: str) -> Iterator[StoredImage]:
    with suppress(RepositoryNotFound):  # It may be removed meanwhile.
        repository = store.find_repository(None, name)
        for tag in repository.list_tags():
            image = inspect_image(repository, tag)
            yield attrs.evolve(image, problems=tuple(map(files.as_on_node, image.problems)))


def _version(release: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", release)]


def _find_closed(place: str, root: str) -> list[str]:
    """Find what a user who owns nothing may not read, until there are a few examples."""
    closed: list[str] = []
    seen = 0
    for directory, directories, names in os.walk(place):
        for name in [*([] if seen else ["."]), *directories, *names]:
            path = os.path.normpath(os.path.join(directory, name))
            seen += 1
            if not _is_open(path):
                closed.append(os.path.normpath(os.path.join(root, os.path.relpath(path, place))))
            if len(closed) >= _EXAMPLES or seen >= _MOST_ENTRIES:
                return closed
    return closed


def _is_open(path: str) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return True
    if stat.S_ISDIR(mode):
        return mode & _OTHERS_MAY_ENTER == _OTHERS_MAY_ENTER
    return not stat.S_ISREG(mode) or bool(mode & _OTHERS_MAY_READ)
