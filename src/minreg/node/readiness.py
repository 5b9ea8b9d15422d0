"""Waits until the registry that was started is ready."""

from collections.abc import Callable

from minreg.node.doctor.asking import Ask

_ATTEMPTS = 30
_PAUSE = 0.5
"""Seconds between two attempts."""


def wait_until_ready(url: str, ask: Ask, sleep: Callable[[float], object]) -> str:
    """Ask a registry whether it is ready until it answers.

    A tree that is not there is not waited for: nobody can tell when it comes.

    Args:
        url: Where the registry listens.
        ask: Sends a request.
        sleep: Waits for so many seconds.

    Returns:
        What came of it, in a few words.
    """
    failure = ""
    for _ in range(_ATTEMPTS):
        reply = ask(f"{url}/readyz")
        match reply.status:
            case 0:
                failure = reply.failure
                sleep(_PAUSE)
            case 503:
                return "answers, and waits for a registry tree"
            case _:
                # Where health is asked for elsewhere, this is a 404 of a registry that serves.
                return "answers"
    return f"does not answer: {failure}"
