"""The query of ``/minreg/preflight``: what has to be there."""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from minreg.errors import query_invalid
from minreg.preflight.question import Question, QuestionInvalid

_MOST_WORDS = 32
_SEVERAL = frozenset({"platform", "disable"})
_ONCE = frozenset({"k3s", "upgrade", "controller", "kubectl", "system-default-registry", "format"})
_YES = frozenset({"", "1", "true", "yes"})
_NO = frozenset({"0", "false", "no"})


def parse_question(query: bytes) -> Question:
    """Read a query, and refuse whatever could mean that its writer is mistaken.

    Args:
        query: What stands behind the question mark of a request's target.

    Raises:
        RegistryError: A word is unknown, given twice, or has a value that cannot be.
    """
    words = _read_words(query)
    if not words.get("k3s", [""])[0]:
        raise query_invalid("k3s is missing: name the release, as in ?k3s=v1.33.4%2Bk3s1")
    upgrade = _parse_switch(words, "upgrade")
    if not upgrade and (_find(words, "controller") or _find(words, "kubectl")):
        raise query_invalid("controller and kubectl go with upgrade=yes")
    try:
        return Question.parse(
            # A plus that was not escaped arrives as a space.
            release=words["k3s"][0].replace(" ", "+"),
            platforms=words.get("platform", []),
            disabled=words.get("disable", []),
            upgrade=upgrade,
            controller=_find(words, "controller"),
            kubectl=_find(words, "kubectl"),
            registry=_find(words, "system-default-registry"),
        )
    except QuestionInvalid as error:
        raise query_invalid(str(error)) from None


def _read_words(query: bytes) -> Mapping[str, Sequence[str]]:
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_WORDS,
        )
    except ValueError:
        raise query_invalid(
            f"the query is no query in UTF-8 of at most {_MOST_WORDS} words"
        ) from None
    words: dict[str, list[str]] = {}
    for name, value in pairs:
        if name not in _SEVERAL | _ONCE:
            known = ", ".join(sorted(_SEVERAL | _ONCE))
            raise query_invalid(f"{name[:80]!r} is unknown here: these are known: {known}")
        if name in words and name in _ONCE:
            raise query_invalid(f"{name} is given more than once")
        words.setdefault(name, []).append(value)
    return words


def _parse_switch(words: Mapping[str, Sequence[str]], name: str) -> bool:
    value = words.get(name, ["no"])[0]
    if value not in _YES | _NO:
        raise query_invalid(f"{name} is yes or no")
    return value in _YES


def _find(words: Mapping[str, Sequence[str]], name: str) -> str | None:
    """Find a word's value; one that is empty counts as not given."""
    return words.get(name, [""])[0] or None
