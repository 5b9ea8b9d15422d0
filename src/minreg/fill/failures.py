"""What goes wrong while a tree is filled, as a sentence that says how to mend it."""


class FillFailure(Exception):
    """Filling failed in a way that a person can mend; the text is one line for them."""


class TreeLocked(FillFailure):
    """Another process writes the tree just now."""


class TreeNotWritable(FillFailure):
    """A part of the tree cannot be written, or is not laid out as a tree is."""


class TreeUnreadable(FillFailure):
    """A part of the tree cannot, or must not, be read, and what it holds is not known."""


class ContentMismatch(FillFailure):
    """Bytes are not what their digest or size says; they were not stored."""


class ManifestMissing(FillFailure):
    """A tag was to be set on a manifest that the repository does not hold."""


class UpstreamRefused(FillFailure):
    """An upstream registry answered, and the answer is no; asking again does not help.

    ``status`` is the HTTP status, or 0 if there was none.
    """

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class UpstreamUnavailable(FillFailure):
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


class Stopped(FillFailure):
    """The work was told to stop before it was done."""
