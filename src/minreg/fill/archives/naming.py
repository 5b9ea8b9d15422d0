"""What the images of an archive are called outside of it."""

from collections.abc import Sequence

import attrs

from minreg.fill.archives.failures import ArchiveInvalid
from minreg.fill.archives.images import ArchivedImage
from minreg.names import DigestInvalid, NameInvalid
from minreg.references import ImageReference


@attrs.frozen
class NamedImage:
    """An image under one of its names."""

    reference: ImageReference
    image: ArchivedImage


def name_images(images: Sequence[ArchivedImage], name: str = "") -> list[NamedImage]:
    """Name the images of an archive; one that has no name is left out beside some that do.

    Args:
        images: The images.
        name: What to call what the archive does not name. Without a tag it is completed
            by the tag that the archive may have.

    Raises:
        ArchiveInvalid: A name is malformed, none is there, or ``name`` does not fit.
    """
    if not images:
        raise ArchiveInvalid("it holds no image: export the image anew")
    named = [
        _name(image, text) for image in images for text in image.names or _complete(name, image)
    ]
    unnamed = [image for image in images if not image.names]
    if name and not unnamed:
        raise ArchiveInvalid(f"it names its images itself, such as {images[0]}: leave out --name")
    if name and len({_complete(name, image) for image in unnamed}) < len(unnamed):
        raise ArchiveInvalid(
            f"it has {len(unnamed)} images without a name, and --name names one: "
            "export them with their names"
        )
    if not named:
        raise ArchiveInvalid(f"it does not say what its image is called: {_mend(images[0])}")
    return list({(one.reference, one.image.digest): one for one in named}.values())


def _complete(name: str, image: ArchivedImage) -> tuple[str, ...]:
    if not name:
        return ()
    _, _, last_part = name.rpartition("/")
    has_tag = ":" in last_part or "@" in last_part
    return (name,) if has_tag or not image.tag else (f"{name}:{image.tag}",)


def _mend(image: ArchivedImage) -> str:
    if image.tag:
        return f"give --name REPOSITORY, for it has only the tag {image.tag!r}"
    return "give --name REPOSITORY:TAG"


def _name(image: ArchivedImage, text: str) -> NamedImage:
    try:
        reference = ImageReference.parse(text)
    except (NameInvalid, DigestInvalid) as error:
        raise ArchiveInvalid(f"{text[:160]!r} names no image: {error}") from None
    if reference.digest is not None and reference.digest != image.digest:
        raise ArchiveInvalid(f"{text!r} stands for {image.digest}: export the image anew")
    return NamedImage(reference, image)
