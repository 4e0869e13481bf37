"""Records to JSON and back, for the store: nested frozen dataclasses and nothing else."""

import json
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from edgeprof.records import RunResult

Record = TypeVar("Record")


def dump(record: Any) -> str:  # noqa: ANN401 - any of the frozen dataclasses of edgeprof.records
    """Return a record as JSON text."""
    return json.dumps(asdict(record), default=str, separators=(",", ":"))


def load(kind: type[Record], text: str) -> Record:
    """Return the record of `kind` that `dump` wrote; fields it did not know keep their defaults.

    Raises:
        ValueError: The text is not such a record.
    """
    try:
        return cast(Record, _build(kind, json.loads(text)))
    except (KeyError, TypeError, AttributeError) as exc:
        raise ValueError(f"not a {kind.__name__}: {exc}") from exc


def record_text(run: RunResult) -> str:
    """Return all that is known of a run, launches and samples too, as JSON text."""
    return dump(run)


def read_record(text: str) -> RunResult:
    """Return the run that `record_text` wrote.

    Raises:
        ValueError: The text is no such record.
    """
    return load(RunResult, text)


def _build(kind: Any, value: Any) -> Any:  # noqa: ANN401 - walks annotations, which are values here
    if value is None:
        return None
    if get_origin(kind) in (Union, UnionType):
        return _build(next(arm for arm in get_args(kind) if arm is not NoneType), value)
    if get_origin(kind) is tuple:
        return _tuple(get_args(kind), value)
    if kind is Path:
        return Path(value)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        known = {item.name for item in fields(kind)}
        return kind(**{name: _build(hints[name], part) for name, part in value.items() if name in known})
    return value


def _tuple(arms: tuple[Any, ...], value: list[Any]) -> tuple[Any, ...]:
    if len(arms) == 2 and arms[1] is Ellipsis:
        return tuple(_build(arms[0], part) for part in value)
    return tuple(_build(arm, part) for arm, part in zip(arms, value, strict=True))
