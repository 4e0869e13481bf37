"""A release file as it is written: its tables with their lines, and values as people write them."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeprof import units
from edgeprof.errors import UsageError
from edgeprof.validate.lines import Key, key_lines, line_of

_MOST = 500
_SHOWN = "docs/release-gate.md shows what it holds"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a release file.

    Attributes:
        values: What it holds.
        path: The file.
        key: Where in it.
        lines: Of every key of the file.
    """

    values: dict[str, Any]
    path: Path
    key: Key
    lines: dict[Key, int]

    @property
    def where(self) -> str:
        """Return what messages call it."""
        return f"[[{self.key[0]}]] in line {self.line()} of `{self.path}`" if self.key else f"`{self.path}`"

    def line(self, *names: str) -> int:
        """Return the line of one of its keys, or of one below that."""
        return line_of(self.lines, (*self.key, *names))

    def tables(self, name: str) -> "list[Table]":
        """Return the tables of a list.

        Raises:
            UsageError: There is none.
        """
        found = self.values.get(name)
        if not isinstance(found, list) or not found or not all(isinstance(part, dict) for part in found):
            raise UsageError(f"`{self.path}` has no [[{name}]]", f"it needs at least one table [[{name}]]")
        return [Table(part, self.path, (name, index), self.lines) for index, part in enumerate(found)]

    def text(self, name: str) -> str | None:
        """Return the text under a key, or `None` where there is none.

        Raises:
            UsageError: It is no text.
        """
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise UsageError(f"{self.where}: `{name}` must be text", f'such as {name} = "{value}"')
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the texts under a key: a list of them, or one alone.

        Raises:
            UsageError: They are no texts.
        """
        value = self.values.get(name, [])
        found = value if isinstance(value, list) else [value]
        if not all(isinstance(part, str) for part in found):
            raise UsageError(f"{self.where}: `{name}` must be text, or a list of texts", f'such as {name} = ["…"]')
        return tuple(dict.fromkeys(found))

    def words(self, name: str) -> tuple[str, ...]:
        """Return the words under a key, of which whole numbers are some: a list of them, or one alone.

        Raises:
            UsageError: They are neither.
        """
        value = self.values.get(name, [])
        found = value if isinstance(value, list) else [value]
        if any(isinstance(part, bool) or not isinstance(part, str | int) for part in found):
            raise UsageError(f"{self.where}: `{name}` must be text or a whole number", f'such as {name} = "15"')
        return tuple(str(part) for part in found)

    def file(self, name: str) -> Path | None:
        """Return the file under a key, or `None`.

        Raises:
            UsageError: There is no such file.
        """
        text = self.text(name)
        return None if text is None else self.there(text)

    def there(self, text: str) -> Path:
        """Return a file that must be there; its path is relative to the release file's folder.

        Raises:
            UsageError: It is not.
        """
        found = self.path.parent / text
        if not found.exists():
            raise UsageError(f"{self.where}: there is no `{found}`", "paths are relative to the release file's folder")
        return found

    def number(self, name: str, default: int, least: int, most: int = _MOST) -> int:
        """Return the whole number under a key.

        Raises:
            UsageError: It is none, or out of its range.
        """
        value = self.values.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            hint = f"a whole number from {least} to {most}"
            raise UsageError(f"{self.where}: {name} = {value!r} is out of range", hint)
        return value


def read(path: Path) -> Table:
    """Return a release file as a table.

    Raises:
        UsageError: It cannot be read, or is no TOML.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return Table(tomllib.loads(text), path, (), key_lines(text))
    except OSError as exc:
        hint = f"{_SHOWN}; name another as `edgeprof validate FILE`"
        raise UsageError(f"cannot read the release file `{path}`: {exc.strerror}", hint) from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise UsageError(f"`{path}` is not TOML: {exc}", _SHOWN) from exc


def quantity(metric: str, value: object, where: str) -> float:
    """Return what a person wrote for a metric, in the metric's unit.

    Raises:
        UsageError: It is no such quantity, or no limit.
    """
    text = f"{value:.12f}" if isinstance(value, float) else value  # without an exponent
    try:
        number = units.parse(metric, text if isinstance(text, str | int) else str(text))
    except ValueError as exc:
        raise UsageError(f"{where}: {exc}", "docs/release-gate.md lists the figures with their units") from exc
    if number < 0 or (metric.endswith(("_ns", "_bytes", "_instructions")) and number == 0):
        raise UsageError(f"{where}: `{value}` is no limit", "a limit is above 0")
    return number
