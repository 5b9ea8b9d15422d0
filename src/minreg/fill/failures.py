"""What goes wrong while a tree is filled, as a sentence that says how to mend it."""


class FillFailure(Exception):
    """Filling failed in a way that a person can mend; the text is one line for them."""


class TreeLocked(FillFailure):
    """Another process writes the tree just now."""


class TreeNotWritable(FillFailure):
    """A part of the tree cannot be written, or is not laid out as a tree is."""


class ContentMismatch(FillFailure):
    """Bytes are not what their digest or size says; they were not stored."""


class ManifestMissing(FillFailure):
    """A tag was to be set on a manifest that the repository does not hold."""
