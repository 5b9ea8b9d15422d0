"""Collects the images that manifests name, with where they stand, and notes on unknown ones."""

from collections.abc import Iterator

import attrs

from minreg.k3s.manifests.documents import DocumentsInvalid, Text, Value, read_documents
from minreg.oci.names import DigestInvalid, ImageReference, NameInvalid
from minreg.text import printable, shorten

# Template placeholders in image names.
_PLACEHOLDERS = ("{{", "${", "$(", "%{")
_INJECTED = "auto"
"""What stands for the image of a proxy that Istio's injector sets (its gateway templates)."""

_LONGEST_STEP = 80


def has_placeholder(text: str) -> bool:
    """Return whether a text is filled in later."""
    return any(placeholder in text for placeholder in _PLACEHOLDERS)


@attrs.frozen
class FieldPath:
    """A key or index in a document, and those above it."""

    above: "FieldPath | None"
    step: str | int

    def __str__(self) -> str:
        steps: list[str | int] = []
        path: FieldPath | None = self
        while path is not None:
            steps.append(path.step)
            path = path.above
        text = ""
        for step in reversed(steps):
            if isinstance(step, int):
                text += f"[{step}]"
            else:
                text += f".{shorten(step, _LONGEST_STEP)}"
        return text.removeprefix(".")


@attrs.frozen
class SourceLocation:
    """A file, and the object in it that something belongs to.

    Attributes:
        file: The name of the file.
        owner: The kind and name of the object.
        line: The line, of texts that do not know theirs; 0 if it is not known.
    """

    file: str
    owner: str = ""
    line: int = 0

    def at(self, text: str, path: FieldPath | None = None) -> str:
        """Return the location of a text with its line, and perhaps its path, for people."""
        line = text.line if isinstance(text, Text) else self.line
        parts = [f"{self.file}:{line}" if line else self.file]
        parts += [self.owner] if self.owner else []
        parts += [str(path)] if path is not None else []
        return printable(", ".join(parts))


@attrs.frozen
class FoundImage:
    """An image that a manifest names.

    Attributes:
        image: The image.
        reason: The file, line and object that name it, for people.
        file: The file.
    """

    image: ImageReference
    reason: str
    file: str


@attrs.define
class ManifestImages:
    """The images that manifests name.

    Attributes:
        images: What Kubernetes, or a resource of a known kind, says is an image.
        likely: What has the form of an image elsewhere.
        notes: Which images are not known, with the location.
        errors: What is wrong, with the location.
    """

    images: list[FoundImage] = attrs.field(factory=list)
    likely: list[FoundImage] = attrs.field(factory=list)
    notes: list[str] = attrs.field(factory=list)
    errors: list[str] = attrs.field(factory=list)
    _noted: set[str] = attrs.field(factory=set)

    def add(self, text: str, location: SourceLocation, name: str = "") -> None:
        """Add an image that is required.

        Args:
            text: The text in the manifest, which has the line.
            location: Where the text is.
            name: The image's name, if it is not the text itself.
        """
        name = name or text
        if not name or self._add_unknown(name, text, location):
            return
        try:
            image = ImageReference.parse(name)
        except (NameInvalid, DigestInvalid) as error:
            self.add_error(text, location, f"{name[:160]!r} is not an image name: {error}")
        else:
            self.images.append(FoundImage(image, location.at(text), location.file))

    def add_likely(
        self, image: ImageReference, text: str, location: SourceLocation, path: FieldPath | None
    ) -> None:
        """Add an image that is likely."""
        self.likely.append(FoundImage(image, location.at(text, path), location.file))

    def add_likely_name(
        self, name: str, text: str, location: SourceLocation, path: FieldPath | None
    ) -> None:
        """Add an image that is likely by its name, unless it is invalid.

        Args:
            name: The name.
            text: The text in the manifest, which has the line.
            location: Where the text is.
            path: The path of the text.
        """
        if self._add_unknown(name, text, location):
            return
        try:
            image = ImageReference.parse(name)
        except (NameInvalid, DigestInvalid):
            return
        self.add_likely(image, text, location, path)

    def _add_unknown(self, name: str, text: str, location: SourceLocation) -> bool:
        """Add a note if a name is filled in later; return whether it is."""
        if has_placeholder(name):
            self.add_note(text, location, f"{name!r} has a placeholder: the image is not known")
        elif name == _INJECTED:
            message = f"{name!r} is replaced by Istio's injector: check its configuration too"
            self.add_note(text, location, message)
        else:
            return False
        return True

    def add_error(self, text: str, location: SourceLocation, message: str) -> None:
        """Add an error."""
        self.errors.append(f"{location.at(text)}: {printable(message)}")

    def add_note(self, text: str, location: SourceLocation, message: str) -> None:
        """Add a note on an image that is not known, once."""
        note = f"{location.at(text)}: {printable(message)}"
        if note not in self._noted:
            self._noted.add(note)
            self.notes.append(note)

    def read(self, text: str, location: SourceLocation) -> Iterator[tuple[Value, SourceLocation]]:
        """Read the documents of a file, or of a text value that contains values of a chart.

        If it is not YAML, an error with its line is added.
        """
        line = text.first_line if isinstance(text, Text) else 1
        try:
            for document in read_documents(text, line):
                yield document, location
        except DocumentsInvalid as error:
            template = (
                " (this may be a Helm template: render it with 'helm template CHART "
                "| minreg preflight --manifests -')"
                if "{{" in text
                else ""
            )
            self.errors.append(printable(f"{location.file}:{error}{template}"))
