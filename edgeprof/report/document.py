"""The JSON that `--json`, exports and `serve` share: one shape, described by schema.json beside this file."""

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

SCHEMA = 1


def document(kind: str, items: Sequence[dict[str, Any]]) -> str:
    """Return `{"schema": 1, "kind": …, "items": […]}` as text."""
    return json.dumps({"schema": SCHEMA, "kind": kind, "items": list(items)}, indent=2, ensure_ascii=False)


def schema() -> dict[str, Any]:
    """Return the JSON schema of every document."""
    parsed: dict[str, Any] = json.loads(files("edgeprof.report").joinpath("schema.json").read_text())
    return parsed
