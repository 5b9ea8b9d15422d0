"""How much the operating system lets this process have open."""

import resource

_RESERVED = 64
_FILES_OF_A_CONNECTION = 3


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def most_connections(open_files: int) -> int:
    """Tell how many connections can be served with so many files open.

    Each is a file itself, may send another one, and is open twice while it does so; a few
    are needed for all else.
    """
    return max(1, (open_files - _RESERVED) // _FILES_OF_A_CONNECTION)
