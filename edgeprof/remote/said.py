"""What the shell scripts say on a board: `key=value` lines, as pairs in their order; a key may come again."""

from collections.abc import Mapping, Sequence

Said = Sequence[tuple[str, str]]


def parse_pairs(text: str) -> Said:
    """Return the pairs of `key=value` lines; what is no such line is left out."""
    return [(key, value) for key, equals, value in (line.partition("=") for line in text.splitlines()) if equals]


def whole(entry: Mapping[str, str], key: str) -> int | None:
    """Return a whole number, or `None` where it was not said or is none."""
    try:
        return int(entry[key])
    except (KeyError, ValueError):
        return None


def real(entry: Mapping[str, str], key: str) -> float | None:
    """Return a number, or `None` where it was not said or is none."""
    try:
        return float(entry[key])
    except (KeyError, ValueError):
        return None
