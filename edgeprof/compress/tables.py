"""Frozen dataclasses out of TOML and JSON tables: unknown keys and wrong types are errors that say what is right."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from edgeprof.errors import UsageError
from edgeprof.names import did_you_mean

T = TypeVar("T")
_STRINGS = tuple[str, ...]


def from_table(kind: type[T], table: Mapping[str, object], where: str) -> T:
    """Return a dataclass of `kind` out of a table whose keys are its fields.

    Fields may be `int`, `float`, `str`, `bool`, `float | None` and `tuple[str, ...]`.

    Raises:
        UsageError: A key is unknown or a value is of another type; says what is known.
    """
    known: dict[str, Any] = {field.name: field.type for field in fields(kind)}  # type: ignore[arg-type]
    for key in table:
        if key not in known:
            hint = f"{did_you_mean(key, known)}known: {', '.join(known)}"
            raise UsageError(f"unknown key `{key}` of {where}", hint)
    return kind(**{key: _typed(value, known[key], f"`{key}` of {where}") for key, value in table.items()})


def _typed(value: object, wanted: Any, where: str) -> object:  # noqa: ANN401 - a type or a union of types
    if wanted == _STRINGS:
        if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
            return tuple(value)
        raise UsageError(f"{where} is {value!r}, not a list of strings", f'write ["{value}"]')
    if wanted in (float, float | None) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        name = getattr(wanted, "__name__", str(wanted))
        raise UsageError(f"{where} is {value!r}, which is no {name}", f"give a value of type {name}")
    return value
