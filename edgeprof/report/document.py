"""The JSON that `--json`, exports and `serve` share: one shape, described by schema.json beside this file."""

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from edgeprof.units import exported

SCHEMA = 1


def document(kind: str, items: Sequence[dict[str, Any]], **about: object) -> str:
    """Return a document as text, its figures with as many digits as exports have; `about` are further fields of it."""
    return json.dumps(rounded(whole(kind, items) | about), indent=2, ensure_ascii=False)


def whole(kind: str, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return `{"schema": 1, "kind": …, "items": […]}` with every digit."""
    return {"schema": SCHEMA, "kind": kind, "items": list(items)}


def rounded(value: Any, name: str = "") -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Return a part of a document with its figures as exported; samples (lists) and times of day stay as they are."""
    if isinstance(value, dict):
        return {key: rounded(part, str(key)) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(part) if isinstance(part, dict | list | tuple) else part for part in value]
    return exported(value) if isinstance(value, float) and not name.endswith("_unix_s") else value


def schema() -> dict[str, Any]:
    """Return the JSON schema of every document."""
    parsed: dict[str, Any] = json.loads(files("edgeprof.report").joinpath("schema.json").read_text())
    return parsed
