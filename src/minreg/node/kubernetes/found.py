"""What Kubernetes' manifests say of images: which ones, and what cannot be known of others."""

from collections.abc import Iterator

import attrs

from minreg.names import DigestInvalid, NameInvalid
from minreg.node.kubernetes.documents import DocumentsInvalid, Text, Value, read_documents
from minreg.preflight.wanted import WantedImage
from minreg.references import ImageReference
from minreg.words import printable

_WORDS = ("image", "helm", "\\u", "\\x")
"""One of these is in every document that names an image, or a chart that may have some; the
last two begin letters that are written as numbers."""

_FILLED_IN_LATER = ("{{", "${", "$(", "%{")


@attrs.frozen
class Place:
    """Where something is said: in which file, and of which object."""

    file: str
    owner: str = ""

    def at(self, text: str) -> str:
        """Name the place of a text."""
        line = f":{text.line}" if isinstance(text, Text) else ""
        owner = f", {self.owner}" if self.owner else ""
        return printable(f"{self.file}{line}{owner}")


@attrs.define
class Found:
    """Collects images, ``notes`` on what cannot be known, and ``complaints`` on what is wrong.

    All are in words for people.
    """

    images: list[WantedImage] = attrs.field(factory=list)
    notes: list[str] = attrs.field(factory=list)
    complaints: list[str] = attrs.field(factory=list)

    def add(self, text: str, place: Place, name: str = "") -> None:
        """Add an image.

        Args:
            text: What the manifest says.
            place: Where it says so.
            name: What it comes to, if that is something else.
        """
        name = name or text
        if not name:
            return
        if any(mark in name for mark in _FILLED_IN_LATER):
            self.note(text, place, f"{name!r} is filled in later, and not known here")
            return
        try:
            image = ImageReference.parse(name)
        except (NameInvalid, DigestInvalid) as error:
            self.complain(text, place, f"{name[:160]!r} names no image: {error}")
        else:
            self.images.append(WantedImage(image, place.at(text)))

    def complain(self, text: str, place: Place, complaint: str) -> None:
        """Say that something is wrong."""
        self.complaints.append(f"{place.at(text)}: {printable(complaint)}")

    def note(self, text: str, place: Place, remark: str) -> None:
        """Remark that something cannot be known."""
        self.notes.append(f"{place.at(text)}: {printable(remark)}")

    def read(self, text: str, place: Place) -> Iterator[tuple[Value, Place]]:
        """Read the documents of a file, or of a value that holds some.

        What is broken is complained of, with its line.
        """
        line = text.line + 1 if isinstance(text, Text) else 1
        try:
            for document in read_documents(text, _WORDS, line):
                yield document, place
        except DocumentsInvalid as error:
            self.complaints.append(printable(f"{place.file}:{error}"))
