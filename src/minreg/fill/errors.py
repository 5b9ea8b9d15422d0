"""What goes wrong while a tree is filled, as a sentence that says how to mend it."""


class FillError(Exception):
    """Filling failed in a way that a person can mend; the text is one line for them."""


class TreeLocked(FillError):
    """Another process writes the tree just now."""


class TreeNotWritable(FillError):
    """A part of the tree cannot be written, or is not laid out as a tree is."""


class TreeUnreadable(FillError):
    """A part of the tree cannot, or must not, be read, and what it holds is not known."""


class ContentMismatch(FillError):
    """Bytes are not what their digest or size says; they were not stored."""


class ManifestMissing(FillError):
    """A tag was to be set on a manifest that the repository does not hold."""


class UpstreamRefused(FillError):
    """An upstream registry answered, and the answer is no; asking again does not help.

    ``status`` is the HTTP status, or 0 if there was none.
    """

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class UpstreamUnavailable(FillError):
    """An upstream registry could not answer just now.

    ``retry_after`` is the time in seconds that it asked to be left alone for.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class HostUnreachable(UpstreamUnavailable):
    """There is no way to a host; ``remedies`` are what may help, in a few words each."""

    def __init__(self, problem: str, *remedies: str) -> None:
        super().__init__(f"{problem} ({'; '.join(remedies)})" if remedies else problem)
        self.problem = problem
        self.remedies = remedies

    def with_remedy(self, remedy: str) -> "HostUnreachable":
        """Return the same failure, with one more remedy."""
        return HostUnreachable(self.problem, *self.remedies, remedy)


class Stopped(FillError):
    """The work was told to stop before it was done."""


class ArchiveInvalid(FillError):
    """The archive is broken, hostile, or none at all; nothing of it was published."""
