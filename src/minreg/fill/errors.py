"""Errors of what fills a tree; the text of each is one line for a person, with what to do."""

KEEP_HOSTS = "to store both, use --no-trim, which keeps the registry's host in the repository name"
"""What to do if images of two registries have the same name in the tree."""


class FillError(Exception):
    """Filling a tree failed, for a reason that a person can remove."""


class TreeLocked(FillError):
    """Another process is writing the tree."""


class TreeNotWritable(FillError):
    """A part of the tree cannot be written, or does not have the layout of a tree."""


class TreeUnreadable(FillError):
    """A part of the tree cannot be read, so that its content is not known."""


class ContentMismatch(FillError):
    """Received bytes do not have the expected digest or size; they were not stored."""


class ManifestMissing(FillError):
    """A tag was to point to a manifest that the repository does not have."""


class UpstreamRefused(FillError):
    """An upstream registry refused a request; sending it again does not help.

    ``status`` is the HTTP status, or 0 if there was none.
    """

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class UpstreamUnavailable(FillError):
    """An upstream registry could not be reached or failed; a later attempt may succeed.

    ``retry_after`` is the time in seconds that the registry asked to wait, or None.
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
    """The work was stopped before it was complete."""


class ArchiveInvalid(FillError):
    """An archive is damaged, hostile, or no image archive; none of it was published."""
