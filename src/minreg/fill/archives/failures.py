"""What is wrong with an archive, as one line that names the member and the mend."""

from minreg.fill.failures import FillFailure


class ArchiveInvalid(FillFailure):
    """The archive is broken, hostile, or none at all; nothing of it was published."""
