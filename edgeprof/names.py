"""Names that nobody knows: the nearest known one, and the refusal of a key that nobody would read."""

from collections.abc import Iterable
from typing import Any

from edgeprof.errors import UsageError


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `did you mean … ? ` with the nearest known word, or nothing where none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - needed for an error only

    near = get_close_matches(word, list(known), n=1)
    return f"did you mean `{near[0]}`? " if near else ""


def refuse_unknown_keys(table: dict[str, Any], known: tuple[str, ...], where: str) -> None:
    """Refuse a key that nobody would read.

    Raises:
        UsageError: With the known keys in its hint.
    """
    for key in table:
        if key not in known:
            hint = f"{did_you_mean(key, known)}known keys: {', '.join(known)}"
            raise UsageError(f"unknown key in {where}: `{key}`", hint)
