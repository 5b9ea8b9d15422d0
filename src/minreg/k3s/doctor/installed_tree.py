"""Inspects the registry tree of a node, with the same code as the registry."""

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import attrs

from minreg.k3s.doctor.node_files import NodeFiles
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

_MAX_IMAGES = 20_000
_MAX_ENTRIES = 50_000
_EXAMPLES = 3
_BLOBS = "blobs"
_OTHERS_MAY_READ = stat.S_IROTH
_OTHERS_MAY_ENTER = stat.S_IROTH | stat.S_IXOTH


@attrs.frozen
class ServedManifest:
    """The manifest or index that the tree has for a request. ``size`` is in bytes.

    ``repository`` is the path of its repository in the tree.
    """

    repository: str
    digest: Digest
    size: int


@attrs.frozen
class InstalledTree:
    """A registry tree.

    ``root`` is its path on the node. ``repositories`` are the paths of its repositories, and
    ``images`` the images that their tags name. ``unreadable`` are the first few paths that other
    users than their owner may not read. ``invalid`` has the reason and the fix for each repository
    that cannot be served. ``release`` is the newest K3s release whose image list is in the tree,
    and ``release_images`` are the images on that list. ``nested`` is the directory below the root
    that is a tree of its own with all repositories; empty if there is none.
    """

    root: str
    repositories: Sequence[str]
    images: Sequence[StoredImage]
    unreadable: Sequence[str] = ()
    invalid: Mapping[str, str] = attrs.field(factory=dict)
    release: str = ""
    release_images: Sequence[RequiredImage] = ()
    nested: str = ""
    _store: RegistryTree | None = None

    def find(
        self, namespace: str | None, name: str, reference: str | Digest
    ) -> ServedManifest | None:
        """Look up a manifest as the registry does for a request.

        Args:
            namespace: The value of the query parameter ``ns``, None if it is not sent.
            name: The repository in the path of the request.
            reference: A tag or a digest.

        Returns:
            None if the tree does not have it.
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
        return ServedManifest(repository.name, content.digest, content.size)


def inspect_tree(files: NodeFiles, registry: InstalledRegistry) -> InstalledTree | None:
    """Inspect the tree; None if it does not exist, or this user may not read it."""
    root = registry.root
    if not files.is_directory(root):
        return None
    resolved = files.resolve(root)
    links = [files.resolve(path) for path in registry.links if files.is_directory(path)]
    store = RegistryTree(resolved, registry.aliases, links)
    invalid: dict[str, str] = {}
    images: list[StoredImage] = []
    repositories: list[str] = []
    release, release_images = "", []
    try:
        for name in store.iterate_repositories(""):
            repositories.append(name)
            try:
                images += _inspect_images(files, store, name)
            except ContentInvalid as error:
                invalid[name] = files.as_on_node(str(error))
            if len(images) > _MAX_IMAGES:
                break
        release = max(store.list_releases(), key=_version, default="")
        release_images = resolve_images(store, PreflightQuery(release)) if release else []
    except CannotCheck as error:
        files.unread[f"{root}/{release_path(release)}"] = files.as_on_node(str(error))
    except (StoreUnavailable, ContentInvalid) as error:
        files.unread[root] = files.as_on_node(str(error))
        if not repositories:
            return None
    return InstalledTree(
        root,
        repositories,
        images,
        _find_unreadable(resolved, root),
        invalid,
        release,
        release_images,
        _find_nested(files, root, repositories),
        store,
    )


def _find_nested(files: NodeFiles, root: str, repositories: Sequence[str]) -> str:
    """Find a tree in a directory below the root that has all repositories; empty if none.

    In a tree, ``blobs`` is a directory at the top, and a link at the levels below.
    """
    if not repositories or files.is_directory(f"{root}/{_BLOBS}"):
        return ""
    # A path above the first and the last of sorted names is above all of them.
    path, _, rest = min(repositories).partition("/")
    while rest and max(repositories).startswith(f"{path}/") and path not in repositories:
        blobs = f"{root}/{path}/{_BLOBS}"
        if files.link(blobs) is None and files.is_directory(blobs):
            return path
        name, _, rest = rest.partition("/")
        path = f"{path}/{name}"
    return ""


def _inspect_images(files: NodeFiles, store: RegistryTree, name: str) -> Iterator[StoredImage]:
    with suppress(RepositoryNotFound):  # It may have been removed since it was listed.
        repository = store.find_repository(None, name)
        for tag in repository.list_tags():
            image = inspect_image(repository, tag)
            yield attrs.evolve(image, problems=tuple(map(files.as_on_node, image.problems)))


def _version(release: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", release)]


def _find_unreadable(resolved: str, root: str) -> list[str]:
    """List the first few paths that users other than their owner may not read."""
    unreadable: list[str] = []
    checked = 0
    for directory, directories, names in os.walk(resolved):
        for name in [*([] if checked else ["."]), *directories, *names]:
            path = os.path.normpath(os.path.join(directory, name))
            checked += 1
            if not _is_readable(path):
                relative = os.path.relpath(path, resolved)
                unreadable.append(os.path.normpath(os.path.join(root, relative)))
            if len(unreadable) >= _EXAMPLES or checked >= _MAX_ENTRIES:
                return unreadable
    return unreadable


def _is_readable(path: str) -> bool:
    """Return whether any user may read a file, or list and enter a directory."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return True
    if stat.S_ISDIR(mode):
        return mode & _OTHERS_MAY_ENTER == _OTHERS_MAY_ENTER
    return not stat.S_ISREG(mode) or bool(mode & _OTHERS_MAY_READ)
