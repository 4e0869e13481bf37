"""Where a key stands in a TOML file: the standard library's parser does not say it."""

import tomllib
from collections.abc import Iterator

Key = tuple[str | int, ...]


def key_lines(text: str) -> dict[Key, int]:
    """Return the line, counted from 1, on which each key's statement begins; tables in lists are counted from 0.

    A file's beginning is TOML by itself wherever it ends with a whole statement: what such a beginning has more than
    the one before it was said on the lines between.

    Raises:
        tomllib.TOMLDecodeError: The text as a whole is no TOML.
    """
    found: dict[Key, int] = {}
    lines = text.split("\n")
    begun = 0
    for number in range(1, len(lines) + 1):
        try:
            table = tomllib.loads("\n".join(lines[:number]))
        except tomllib.TOMLDecodeError:
            if number == len(lines):
                raise
            begun = begun or number  # in the middle of a value of several lines
            continue
        for key in _keys(table, ()):
            found.setdefault(key, begun or number)
        begun = 0
    return found


def line_of(lines: dict[Key, int], key: Key) -> int:
    """Return the line of a key, or of the nearest table around it that has one; 1 for the file."""
    return next((lines[key[:length]] for length in range(len(key), 0, -1) if key[:length] in lines), 1)


def _keys(value: object, key: Key) -> Iterator[Key]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield (*key, name)
        yield from _keys(part, (*key, name))
