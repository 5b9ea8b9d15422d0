"""An image that somebody will ask for, and how."""

from collections.abc import Mapping

import attrs

from minreg.names import Digest
from minreg.references import ImageReference
from minreg.store.lookup import upstream_of


@attrs.frozen
class WantedImage:
    """An image, the registry that a node will believe to ask, and who wants it.

    ``reason`` is a list, a place in a file, or an option, in words for people.
    """

    image: ImageReference
    reason: str
    registry: str = attrs.field()

    @registry.default
    def _default_registry(self) -> str:
        return self.image.host

    @property
    def reference(self) -> str | Digest:
        """What the registry is asked for: containerd drops the tag if there is a digest."""
        return self.image.tag if self.image.digest is None else self.image.digest

    def upstream(self, aliases: Mapping[str, str]) -> ImageReference:
        """Name the image where it comes from.

        Args:
            aliases: Names of this registry, each with the host that is meant by it.
        """
        host, repository = self.image.host, self.image.repository
        if host in aliases:
            host, repository = upstream_of(host, repository, aliases)
        return attrs.evolve(self.image, host=host, repository=repository)
